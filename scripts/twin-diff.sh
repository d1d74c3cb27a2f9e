#!/usr/bin/env bash
# Prints the differences between the twin servers, session-server and jwt-server: these differences are the
# experiment. This script only prints them; the test servers/chassis/tests/twins.rs asserts them.
set -euo pipefail
cd "$(dirname "$0")/../servers"

lines() { cat "$@" | wc -l; }
# Adds the lines of scripts and nested modules to those of their parent module.
files() {
  (cd "$1/src" && find . -type f ! -name main.rs | sed 's|^\./||' | xargs wc -l | sed '$d') |
    awk '{ sub(/\/lua\/.*|_all\.lua|\/[a-z_]*\.lua$/, ".rs", $2); if (split($2, part, "/") > 2) $2 = part[1] "/" part[2] ".rs"
           lines[$2] += $1 } END { for (file in lines) printf "  %-24s%5d\n", file, lines[file] }' | sort
}
dependencies() { sed -n '/^\[dependencies\]/,/^\[/s/^\([a-z0-9_-]*\)[. ].*/\1/p' "$1/Cargo.toml" | sort; }
listed() { paste -sd' ' | fold -s -w 62 | sed 's/^/  /'; }

echo "Both: one chassis, $(lines chassis/src/*.rs) lines (HTTP, carriers, users, problems, metrics), and one contract, $(lines contract/src/*.rs) lines."
echo
echo "main.rs"
diff --unchanged-line-format= --old-line-format='  session: %L' --new-line-format='  jwt:     %L' \
  session/src/main.rs jwt/src/main.rs || true
echo
printf '%-36s%s\n' "session auth module: lines" "jwt auth module: lines"
paste -d'|' <(files session) <(files jwt) | awk -F'|' '{printf "%-36s%s\n", $1, $2}'
echo
for dependency in "common:-12" "session only:-23" "jwt only:-13"; do
  echo "Dependencies, ${dependency%%:*}"
  comm "${dependency##*:}" <(dependencies session) <(dependencies jwt) | tr -d '\t' | listed
done
