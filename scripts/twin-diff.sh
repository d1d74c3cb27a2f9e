#!/usr/bin/env bash
# Prints what differs between the twins, session-server and jwt-server: that difference is the
# experiment. The test servers/chassis/tests/twins.rs asserts what is only shown here.
set -euo pipefail
cd "$(dirname "$0")/../servers"

lines() { cat "$@" | wc -l; }
# What a folder's own file does not tell by name is added to it: scripts, and parts of parts.
files() {
  (cd "$1/src" && find . -type f ! -name main.rs | sed 's|^\./||' | xargs wc -l | sed '$d') |
    awk '{ sub(/\/lua\/.*|_all\.lua|\/[a-z_]*\.lua$/, ".rs", $2); if (split($2, part, "/") > 2) $2 = part[1] "/" part[2] ".rs"
           lines[$2] += $1 } END { for (file in lines) printf "  %-24s%5d\n", file, lines[file] }' | sort
}
dependencies() { sed -n '/^\[dependencies\]/,/^\[/s/^\([a-z0-9_-]*\)[. ].*/\1/p' "$1/Cargo.toml" | sort; }
listed() { paste -sd' ' | fold -s -w 62 | sed 's/^/  /'; }

echo "Both: one chassis, $(lines chassis/src/*.rs) lines (wire, carriers, users, problems, metrics), and one contract, $(lines contract/src/*.rs) lines."
echo
echo "main.rs"
diff --unchanged-line-format= --old-line-format='  session: %L' --new-line-format='  jwt:     %L' \
  session/src/main.rs jwt/src/main.rs || true
echo
printf '%-36s%s\n' "session, the auth module: lines" "jwt, the auth module: lines"
paste -d'|' <(files session) <(files jwt) | awk -F'|' '{printf "%-36s%s\n", $1, $2}'
echo
for dependency in "common:-12" "session only:-23" "jwt only:-13"; do
  echo "Dependencies, ${dependency%%:*}"
  comm "${dependency##*:}" <(dependencies session) <(dependencies jwt) | tr -d '\t' | listed
done
