// Converts the data of a chart to options of Apache ECharts. The same script draws in the browser, for
// report.html, and in QuickJS, for the SVG files of report.md.
globalThis.authbenchCharts = (() => {
  'use strict';

  // A scheme has the same colour in every chart. The hues differ for the common kinds of colour
  // blindness, and symbols repeat the distinction without colour.
  const THEMES = {
    light: {
      text: '#1f2328', muted: '#59636e', line: '#d8dee4', back: '#ffffff', control: '#6e7781', shade: 'rgba(110,119,129,0.12)',
      palette: ['#2d9bd3', '#0062a3', '#5b4b9e', '#d55e00', '#a87600', '#b03a7a', '#00836b', '#7a5c3e', '#5f8a00', '#a11d1d'],
    },
    dark: {
      text: '#e6edf3', muted: '#9198a1', line: '#30363d', back: '#0d1117', control: '#9198a1', shade: 'rgba(145,152,161,0.16)',
      palette: ['#84cdf5', '#4da3ea', '#b3a4f3', '#ff8f45', '#e6b73c', '#f08dc0', '#45cbab', '#cfae8c', '#b5dc5e', '#ff7b72'],
    },
  };
  const SYMBOLS = ['roundRect', 'circle', 'triangle', 'diamond', 'rect', 'pin', 'arrow', 'emptyCircle', 'emptyDiamond', 'emptyTriangle'];
  // No quotes: the font's name ends up in an attribute.
  const FONT = 'system-ui, -apple-system, Roboto, Arial, sans-serif';
  const NARROW = 620;

  const three = (value) => {
    const size = Math.abs(value);
    if (size >= 99.95) return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ',');
    return value.toFixed(size >= 9.995 ? 1 : 2);
  };
  const short = (value) => (value === 0 ? '0' : three(value).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''));
  const time = (us, round = three) => {
    if (us >= 999500) return `${round(us / 1e6)} s`;
    return us >= 999.5 ? `${round(us / 1e3)} ms` : `${Math.round(us)} µs`;
  };
  const timeTick = (us) => time(us, short);
  const bytes = (value, round = three) => {
    const size = Math.abs(value);
    if (size >= 1048576) return `${round(value / 1048576)} MiB`;
    return size >= 10240 ? `${round(value / 1024)} KiB` : `${round(value)} B`;
  };
  const percentile = (at) => `${+(100 * (1 - 10 ** -at)).toPrecision(Math.max(3, Math.floor(at) + 2))} %`;
  const escape = (text) => echarts.format.encodeHTML(String(text));

  const colorOf = (theme, subject) =>
    subject.color === null ? theme.control : theme.palette[subject.color % theme.palette.length];
  const symbolOf = (subject) => (subject.color === null ? 'emptyCircle' : SYMBOLS[subject.color % SYMBOLS.length]);

  // Mixes two colours by a weight, 0 to 1; both as #rrggbb.
  const mixed = (from, to, share) => {
    const parts = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    const other = parts(to);
    const mix = parts(from).map((part, at) => Math.round(part + (other[at] - part) * share));
    return `#${mix.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
  };

  const axis = (theme, extra) => ({
    nameTextStyle: { color: theme.muted, fontSize: 12 },
    axisLine: { show: true, lineStyle: { color: theme.line } },
    axisTick: { lineStyle: { color: theme.line } },
    splitLine: { lineStyle: { color: theme.line, width: 1 } },
    minorSplitLine: { show: false },
    ...extra,
    axisLabel: { color: theme.muted, fontSize: 12, hideOverlap: true, ...(extra.axisLabel ?? {}) },
  });
  // A logarithmic axis of times, marked at 1, 2 and 5 of each decade, or at decades if they are many.
  const timeAxis = (theme, times) => {
    const known = times.filter((us) => us > 0);
    const decades = Array.from({ length: 9 }, (_, power) => 10 ** power);
    const fine = decades.flatMap((decade) => [1, 2, 5].map((digit) => digit * decade));
    const low = fine.filter((mark) => mark <= Math.min(...known)).pop() ?? 1;
    const high = fine.find((mark) => mark >= Math.max(...known)) ?? fine[fine.length - 1];
    const marks = (high / low > 2000 ? decades : fine).filter((mark) => mark >= low && mark <= high);
    const shown = { customValues: marks };
    return {
      ...axis(theme, { axisLabel: { formatter: timeTick, ...shown } }), type: 'log', logBase: 10,
      min: low, max: Math.max(high, low * 2),
      axisTick: { lineStyle: { color: theme.line }, ...shown }, splitLine: { lineStyle: { color: theme.line }, ...shown },
    };
  };
  const below = (name) => ({ name, nameLocation: 'middle', nameGap: 32 });

  // Rows of a read-out: a mark in the scheme's colour, a name and a value.
  const readOut = (title, rows) =>
    `<b>${escape(title)}</b>` +
    rows.map(([color, name, value]) =>
      `<br><span style="display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:6px;background:${color}"></span>` +
      `${escape(name)} <b style="float:right;margin-left:18px">${escape(value)}</b>`).join('');

  const base = (theme, chart, standalone) => ({
    animation: false,
    backgroundColor: standalone ? theme.back : 'transparent',
    textStyle: { fontFamily: FONT, color: theme.text },
    title: standalone
      ? { text: chart.title, left: 12, top: 8, textStyle: { fontSize: 15, fontWeight: 600, color: theme.text } }
      : undefined,
    tooltip: {
      show: !standalone, confine: true, backgroundColor: theme.back, borderColor: theme.line,
      textStyle: { color: theme.text, fontSize: 13 }, axisPointer: { lineStyle: { color: theme.muted } },
    },
    legend: {
      type: 'plain', top: standalone ? 36 : 0, left: 8, right: 8, itemWidth: 22, itemHeight: 10, itemGap: standalone ? 24 : 14,
      textStyle: { color: theme.text, fontSize: 12 }, inactiveColor: theme.line,
    },
  });
  const top = (standalone, lines = 1) => (standalone ? 48 : 12) + 26 * lines;
  const legendLines = (names, width) =>
    Math.max(1, Math.ceil(names.reduce((sum, name) => sum + 56 + 6.8 * name.length, 0) / Math.max(200, width - 16)));

  // Bars of several schemes below the names of their revocation classes.
  const categories = (groups) => groups.flatMap((group) => [{ head: group.title }, ...group.rows.map((row) => ({ row }))]);
  const categoryAxis = (theme, entries, narrow) => ({
    ...axis(theme, { splitLine: { show: false }, axisTick: { show: false } }),
    type: 'category', inverse: true,
    data: entries.map((entry) => (entry.head === undefined ? entry.row.scheme : entry.head.split(':')[0])),
    axisLabel: {
      interval: 0, fontSize: 12, width: narrow ? 96 : 150, overflow: 'truncate',
      formatter: (name, at) => (entries[at].head === undefined ? `{scheme|${name}}` : `{head|${name}}`),
      rich: { scheme: { color: theme.text, fontSize: 12 }, head: { color: theme.muted, fontSize: 11, fontWeight: 600 } },
    },
  });

  const hatch = (theme) => ({
    symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 3], rotation: Math.PI / 4, color: theme.back,
  });

  const cost = (theme, chart, standalone, width) => {
    const narrow = width < NARROW;
    const entries = categories(chart.data.groups);
    const bar = (part, decal) => ({
      type: 'bar', stack: 'cost', name: part, barMaxWidth: 22, itemStyle: { color: theme.muted, decal },
      data: entries.map(({ row }) => (row ? { value: row[part] ?? 0, itemStyle: { color: colorOf(theme, row), decal } } : null)),
    });
    const whole = (row) => row.server + (row.store ?? 0);
    const whisker = {
      type: 'custom', name: 'interval of the sum', clip: false, silent: true, z: 5, itemStyle: { color: theme.text },
      data: entries.flatMap(({ row }, at) => (row ? [[at, whole(row), row.interval?.[0] ?? whole(row), row.interval?.[1] ?? whole(row)]] : [])),
      encode: { x: [1, 2, 3], y: 0 },
      renderItem: (_, api) => {
        const row = entries[api.value(0)].row;
        const [middle, low, high] = [1, 2, 3].map((place) => api.coord([api.value(place), api.value(0)]));
        const line = (x1, y1, x2, y2) => ({ type: 'line', shape: { x1, y1, x2, y2 }, style: { stroke: theme.text, lineWidth: 1.5 } });
        const marks = row.interval
          ? [line(low[0], low[1], high[0], high[1]), line(low[0], low[1] - 5, low[0], low[1] + 5), line(high[0], high[1] - 5, high[0], high[1] + 5)]
          : [];
        const text = narrow ? `${three(whole(row))} µs` : row.label;
        const x = Math.max(middle[0], high[0], api.coord([0, api.value(0)])[0]) + 8;
        const label = { type: 'text', style: { text, x, y: middle[1], verticalAlign: 'middle', fill: theme.text, font: `12px ${FONT}` } };
        return { type: 'group', children: [...marks, label] };
      },
    };
    return {
      ...base(theme, chart, standalone),
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'axis', axisPointer: { type: 'shadow' },
        formatter: ([first]) => {
          const { row } = entries[first.dataIndex];
          if (!row) return '';
          const store = row.store === null ? 'not observed' : `${three(row.store)} µs`;
          return readOut(row.scheme, [
            [colorOf(theme, row), 'server', `${three(row.server)} µs`], [colorOf(theme, row), 'store', store],
            [theme.text, 'total', row.label],
          ]);
        },
      },
      legend: { ...base(theme, chart, standalone).legend, data: ['server', 'store'], selectedMode: false },
      grid: { left: narrow ? 110 : 165, right: narrow ? 74 : 190, top: top(standalone), bottom: 48 },
      xAxis: { ...axis(theme, { ...below('µs of CPU time per request over the control'), axisLabel: { formatter: short } }), type: 'value' },
      yAxis: categoryAxis(theme, entries, narrow),
      series: [bar('server', undefined), bar('store', hatch(theme)), whisker],
    };
  };

  const percentiles = (theme, chart, standalone, width) => {
    const names = chart.data.series.map((each) => each.scheme);
    const line = (each, part, style, extra) => ({
      type: 'line', name: each.scheme, id: `${each.scheme} ${part}`, data: each[part], showSymbol: false, symbol: symbolOf(each),
      lineStyle: { color: colorOf(theme, each), ...style }, itemStyle: { color: colorOf(theme, each) }, ...extra,
    });
    const end = Math.max(...chart.data.series.flatMap((each) => [...each.doubtful, ...each.shown].map(([x]) => x)));
    const ticks = [0, Math.log10(2), 1, 2, 3, 4, 5, 6].filter((tick) => tick <= end);
    const lines = legendLines(names, width);
    return {
      ...base(theme, chart, standalone),
      legend: { ...base(theme, chart, standalone).legend, data: names },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'axis',
        formatter: (found) => {
          const part = (each) => each.seriesId.slice(each.seriesName.length + 1);
          const rows = found.map((each) => {
            const { shown } = chart.data;
            const what = { shown, doubtful: `${shown}, too few samples`, service: 'service' }[part(each)];
            return [each.color, `${each.seriesName}, ${what}`, time(each.value[1])];
          });
          return readOut(percentile(found[0].axisValue), rows);
        },
      },
      grid: { left: 74, right: 24, top: top(standalone, lines), bottom: 56 },
      xAxis: {
        ...axis(theme, below(`percentile · ${chart.data.legend}`)),
        type: 'value', min: 0, max: Math.max(end, 0.1),
        axisTick: { customValues: ticks, lineStyle: { color: theme.line } },
        axisLabel: { color: theme.muted, customValues: ticks, formatter: percentile },
        splitLine: { show: false },
      },
      yAxis: timeAxis(theme, chart.data.series.flatMap((each) => [...each.shown, ...each.doubtful, ...each.service].map(([, us]) => us))),
      series: chart.data.series.flatMap((each) => [
        line(each, 'shown', { width: 2.2 }),
        line(each, 'service', { width: 1.4, type: 'dashed' }),
        line(each, 'doubtful', { width: 1.4, type: [2, 4], color: theme.muted, opacity: 0.75 }),
      ]),
    };
  };

  const throughput = (theme, chart, standalone, width) => {
    const names = chart.data.series.map((each) => each.scheme);
    const line = (each, part, style) => ({
      type: 'line', name: each.scheme, id: `${each.scheme} ${part}`, data: each[part], symbol: symbolOf(each), symbolSize: 8,
      lineStyle: { color: colorOf(theme, each), ...style }, itemStyle: { color: colorOf(theme, each) },
    });
    return {
      ...base(theme, chart, standalone),
      legend: { ...base(theme, chart, standalone).legend, data: names },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'item',
        formatter: (point) => {
          const each = chart.data.series[names.indexOf(point.seriesName)];
          const [rate] = point.value;
          const rows = [['p50', each.p50], ['p99', each.p99]].map(([name, points]) => [point.color, name, time(points[point.dataIndex][1])]);
          return readOut(`${each.scheme} at ${each.levels[point.dataIndex]}`, [[point.color, 'achieved', `${three(rate)}/s`], ...rows]);
        },
      },
      grid: { left: 74, right: 30, top: top(standalone, legendLines(names, width)), bottom: 56 },
      xAxis: { ...axis(theme, { ...below('achieved requests per second · solid: p99 · dotted: p50'), axisLabel: { formatter: short } }), type: 'value', min: 0 },
      yAxis: timeAxis(theme, chart.data.series.flatMap((each) => [...each.p50, ...each.p99].map(([, us]) => us))),
      series: chart.data.series.flatMap((each) => [
        line(each, 'p99', { width: 2.2 }), line(each, 'p50', { width: 1.4, type: 'dotted' }),
      ]),
    };
  };

  const memory = (theme, chart, standalone, width) => {
    const names = chart.data.series.map((each) => each.scheme);
    const tick = (value) => bytes(value, short);
    return {
      ...base(theme, chart, standalone),
      legend: { ...base(theme, chart, standalone).legend, data: names, itemWidth: 11 },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'item',
        formatter: (point) => {
          const each = chart.data.series[names.indexOf(point.seriesName)];
          const [population, size] = point.value;
          return readOut(each.scheme, [
            [point.color, `at ${three(population)} credentials`, bytes(size)], [point.color, 'per credential', each.label],
          ]);
        },
      },
      grid: { left: 84, right: 30, top: top(standalone, legendLines(names, width)), bottom: 56 },
      xAxis: { ...axis(theme, { ...below('live credentials · points: measured · lines: fitted slope'), axisLabel: { formatter: short } }), type: 'value', min: 0 },
      yAxis: { ...axis(theme, { axisLabel: { formatter: tick } }), type: 'value', ...binaryScale(chart.data.series) },
      series: chart.data.series.flatMap((each, place) => {
        const [color, symbol] = [colorOf(theme, each), symbolOf(each)];
        // Different widths distinguish lines that overlap.
        const width = Math.max(1.4, 4.4 - 0.8 * place);
        return [
          { type: 'scatter', name: each.scheme, data: each.points, symbol, symbolSize: 9, clip: false, itemStyle: { color, opacity: 0.85 } },
          { type: 'line', name: each.scheme, data: each.line, symbol: 'none', silent: true, clip: false, lineStyle: { color, width, opacity: 0.8 }, itemStyle: { color } },
        ];
      }),
    };
  };
  // Marks at whole powers of two, so that they read as round sizes; noise about zero needs none below it.
  const binaryScale = (series) => {
    const sizes = series.flatMap((each) => [...each.points, ...each.line].map(([, size]) => size));
    const [least, most] = [Math.min(0, ...sizes), Math.max(1, ...sizes)];
    const interval = 2 ** Math.ceil(Math.log2((most - least) / 6));
    const min = least < -0.1 * interval ? Math.floor(least / interval) * interval : 0;
    return { interval, min, max: Math.ceil(most / interval) * interval };
  };

  // The size of a point shows its number of rounds; shaded is the interval, dashed the result.
  const slo = (theme, chart, standalone) => {
    const { points, law, interval, found } = chart.data;
    const color = colorOf(theme, chart.data);
    const percent = (share) => `${Math.round(share * 100)} %`;
    const marks = {
      markArea: interval ? { silent: true, itemStyle: { color: theme.shade }, data: [[{ xAxis: interval[0] }, { xAxis: interval[1] }]] } : undefined,
      markLine: found === null ? undefined : {
        silent: true, symbol: 'none', lineStyle: { color: theme.text, type: 'dashed' }, data: [{ xAxis: found }],
        label: { formatter: `${three(found)}/s`, color: theme.text },
      },
    };
    return {
      ...base(theme, chart, standalone),
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'item',
        formatter: ({ value: [rate, share, rounds] }) =>
          readOut(`${three(rate)} requests/s`, [[color, 'met', percent(share)], [theme.muted, 'rounds', String(rounds)]]),
      },
      grid: { left: 74, right: 30, top: top(standalone), bottom: 56 },
      xAxis: {
        ...axis(theme, { ...below('requests per second · points: rounds · line: fitted curve · shaded: interval · dashed: result'), axisLabel: { formatter: short } }),
        type: 'value', scale: true,
      },
      yAxis: { ...axis(theme, { axisLabel: { formatter: percent } }), type: 'value', min: 0, max: 1 },
      series: [
        { type: 'line', data: law, symbol: 'none', silent: true, lineStyle: { color, width: 2 }, ...marks },
        { type: 'scatter', data: points, symbol: symbolOf(chart.data), symbolSize: ([, , rounds]) => 5 + 2 * Math.sqrt(rounds), clip: false, itemStyle: { color, opacity: 0.85 } },
      ],
    };
  };

  // Measured points, and the line fitted to each scheme or compared with it.
  const lines = (theme, chart, standalone, width) => {
    const { x, y, series } = chart.data;
    const names = series.map((each) => each.scheme);
    const most = Math.max(...series.flatMap((each) => [...each.points, ...each.line].map(([at]) => at)));
    const told = y === 'time' ? time : three;
    return {
      ...base(theme, chart, standalone),
      legend: { ...base(theme, chart, standalone).legend, data: names, itemWidth: 11 },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'item',
        formatter: (point) => {
          const each = series[names.indexOf(point.seriesName)];
          const [at, value] = point.value;
          const interval = each.intervals[point.dataIndex];
          return readOut(`${each.scheme}, ${x.word}: ${three(at)}`, [
            [point.color, y === 'time' ? 'median' : 'requests/s', told(value)], ...(interval ? [[point.color, 'interval', interval]] : []),
          ]);
        },
      },
      grid: { left: 84, right: 30, top: top(standalone, legendLines(names, width)), bottom: 56 },
      xAxis: {
        ...axis(theme, { ...below(x.name), splitLine: { show: false } }),
        type: 'value', min: 0, max: most, interval: x.step,
      },
      yAxis: { ...axis(theme, { axisLabel: { formatter: (value) => (y === 'time' ? time(value) : short(value)) } }), type: 'value', min: 0 },
      series: series.flatMap((each) => {
        const [color, symbol] = [colorOf(theme, each), symbolOf(each)];
        return [
          { type: 'scatter', name: each.scheme, data: each.points, symbol, symbolSize: 9, clip: false, itemStyle: { color, opacity: 0.9 } },
          { type: 'line', name: each.scheme, data: each.line, symbol: 'none', silent: true, lineStyle: { color, width: 1.6, opacity: 0.8 }, itemStyle: { color } },
        ];
      }),
    };
  };

  const wire = (theme, chart, standalone, width) => {
    const narrow = width < NARROW;
    const entries = categories(chart.data.groups);
    const roles = chart.data.roles;
    const faded = (color, place) => mixed(color, theme.back, (0.62 * place) / Math.max(1, roles.length - 1));
    const limit = chart.data.limit_bytes;
    const series = roles.map((count, place) => ({
      type: 'bar', name: `${count} roles`, barMaxWidth: 15, barGap: '12%', itemStyle: { color: faded(theme.muted, place) },
      label: { show: true, position: 'right', color: theme.text, fontSize: 11, formatter: ({ value }) => (value === '-' ? '' : short(value)) },
      data: entries.map(({ row }) =>
        row && row.bytes[place] !== null
          ? { value: row.bytes[place], itemStyle: { color: faded(colorOf(theme, row), place) } }
          : '-'),
    }));
    if (limit) {
      series[0].markLine = {
        silent: true, symbol: 'none', lineStyle: { color: theme.text, type: 'dashed' }, data: [{ xAxis: limit }],
        label: { formatter: `cookie limit ${limit}`, color: theme.text },
      };
    }
    return {
      ...base(theme, chart, standalone),
      legend: { ...base(theme, chart, standalone).legend, data: roles.map((count) => `${count} roles`) },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'axis', axisPointer: { type: 'shadow' },
        formatter: ([first]) => {
          const { row } = entries[first.dataIndex];
          if (!row) return '';
          const value = (size) => (size === null ? 'invalid' : `${three(size)} B`);
          return readOut(row.scheme, roles.map((count, place) => [colorOf(theme, row), `${count} roles`, value(row.bytes[place])]));
        },
      },
      grid: { left: narrow ? 110 : 165, right: 64, top: top(standalone), bottom: 48 },
      xAxis: { ...axis(theme, { ...below('header bytes of GET /me'), axisLabel: { formatter: short } }), type: 'value', max: limit ? (most) => Math.max(most.max, limit * 1.05) : undefined },
      yAxis: categoryAxis(theme, entries, narrow),
      series,
    };
  };

  const timeline = (theme, chart, standalone, width) => {
    const { points, window } = chart.data;
    const [p50, p99, service, rate, failed] = [
      theme.palette[0], theme.palette[1], theme.palette[3], theme.control, theme.palette[5],
    ];
    const series = (name, grid, color, pick, extra) => ({
      type: 'line', name, xAxisIndex: grid, yAxisIndex: grid, symbol: 'circle', symbolSize: 5, showSymbol: points.length <= 80, itemStyle: { color },
      lineStyle: { color, width: 2 }, data: points.map((point) => [point.start_s, pick(point)]), ...extra,
    });
    const time0 = (us) => (us === null ? null : Math.max(1, us));
    const end = Math.max(window[1], ...points.map((point) => point.start_s));
    // Shaded intervals are excluded: warm-up, and those after the window.
    const shaded = [[0, window[0]], [window[1], end]].filter(([from, to]) => to > from);
    const left = { silent: true, itemStyle: { color: theme.shade }, data: shaded.map(([from, to]) => [{ xAxis: from }, { xAxis: to }]) };
    const xAxis = (grid, extra) => ({ ...axis(theme, extra), type: 'value', gridIndex: grid, min: 0, max: end, splitLine: { show: false } });
    const names = ['response p50', 'response p99', 'service p99', 'requests due per second', 'failed'];
    const head = top(standalone, legendLines(names, width));
    return {
      ...base(theme, chart, standalone),
      axisPointer: { link: [{ xAxisIndex: 'all' }] },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'axis',
        formatter: (found) => {
          const value = (each) => (each.seriesIndex < 3 ? time(each.value[1]) : three(each.value[1]));
          const told = found.filter((each) => each.value[1] !== null);
          return readOut(`${three(found[0].axisValue)} s`, told.map((each) => [each.color, each.seriesName, value(each)]));
        },
      },
      grid: [{ left: 74, right: 30, top: head, height: '46%' }, { left: 74, right: 30, bottom: 56, height: '19%' }],
      xAxis: [xAxis(0, { axisLabel: { show: false } }), xAxis(1, below('seconds since the start · shaded: excluded'))],
      yAxis: [
        { ...timeAxis(theme, points.flatMap((point) => [point.response_us_p50, point.response_us_p99, point.service_us_p99])), gridIndex: 0 },
        { ...axis(theme, { axisLabel: { formatter: short } }), type: 'value', gridIndex: 1, min: 0, splitNumber: 2 },
      ],
      series: [
        series(names[0], 0, p50, (point) => time0(point.response_us_p50), { markArea: left }),
        series(names[1], 0, p99, (point) => time0(point.response_us_p99)),
        series(names[2], 0, service, (point) => time0(point.service_us_p99), { lineStyle: { color: service, width: 1.6, type: 'dashed' } }),
        series(names[3], 1, rate, (point) => point.rate_rps, { markArea: left }),
        series(names[4], 1, failed, (point) => point.failed),
      ],
    };
  };

  // Request outcomes over time: one strip per scheme, a colour per outcome, the fault between two lines.
  const OUTCOMES = [
    ['accepted', (theme) => theme.palette[6]],
    ['lost (new login)', (theme) => theme.palette[0]],
    ['503', (theme) => theme.palette[4]],
    ['no response', (theme) => theme.control],
    ['wrong response', (theme) => theme.palette[9]],
  ];
  const outage = (theme, chart, standalone, width) => {
    const { interval_s, fault, strips } = chart.data;
    const narrow = width < NARROW;
    const head = top(standalone, legendLines(OUTCOMES.map(([name]) => name), width));
    const room = chart.height - head - 52;
    const pitch = room / strips.length;
    const left = narrow ? 120 : 175;
    const end = interval_s * Math.max(1, ...strips.map((strip) => strip.shares.length));
    const lines = () => ({
      silent: true, symbol: 'none', label: { show: false }, lineStyle: { color: theme.text, type: 'dashed', width: 1.2 },
      data: fault.map((at) => ({ xAxis: at })),
    });
    return {
      ...base(theme, chart, standalone),
      legend: { ...base(theme, chart, standalone).legend, data: OUTCOMES.map(([name]) => name), itemWidth: 11 },
      tooltip: {
        ...base(theme, chart, standalone).tooltip, trigger: 'item',
        formatter: (point) => {
          const strip = strips[Math.floor(point.seriesIndex / OUTCOMES.length)];
          const shares = strip.shares[point.dataIndex];
          return readOut(`${strip.scheme}, from ${three(point.dataIndex * interval_s)} s`, OUTCOMES.map(([name, color], at) =>
            [color(theme), name, `${Math.round(shares[at] * 100)} %`]).filter((_, at) => shares[at] > 0));
        },
      },
      grid: strips.map((_, at) => ({ left, right: 30, top: head + at * pitch, height: Math.max(8, pitch - 8) })),
      xAxis: strips.map((_, at) => ({
        ...axis(theme, {
          ...(at === strips.length - 1 ? below('seconds · dashed: start of the fault and start of the repair') : {}),
          axisLabel: { show: at === strips.length - 1, formatter: short }, axisTick: { show: at === strips.length - 1 }, splitLine: { show: false },
        }),
        type: 'value', gridIndex: at, min: 0, max: end,
      })),
      yAxis: strips.map((strip, at) => ({
        ...axis(theme, {
          name: strip.scheme, nameLocation: 'middle', nameRotate: 0, nameGap: 10, splitLine: { show: false },
          nameTextStyle: { color: theme.text, fontSize: 12, align: 'right', width: left - 16, overflow: 'truncate' },
          axisLabel: { show: false }, axisTick: { show: false },
        }),
        type: 'value', gridIndex: at, min: 0, max: 1,
      })),
      series: strips.flatMap((strip, at) => OUTCOMES.map(([name, color], part) => ({
        type: 'custom', name, xAxisIndex: at, yAxisIndex: at, itemStyle: { color: color(theme) }, encode: { x: 0, y: 2 },
        data: strip.shares.map((shares, place) => {
          const low = shares.slice(0, part).reduce((sum, share) => sum + share, 0);
          return [place * interval_s, low, low + shares[part]];
        }),
        renderItem: (_, api) => {
          const [from, low, high] = [0, 1, 2].map((place) => api.value(place));
          const [start, bottom] = api.coord([from, low]);
          const [stop, ceiling] = api.coord([from + interval_s, high]);
          return {
            type: 'rect', shape: { x: start, y: ceiling, width: Math.max(0, stop - start - 0.5), height: Math.max(0, bottom - ceiling) },
            style: { fill: color(theme) },
          };
        },
        ...(part === 0 ? { markLine: lines() } : {}),
      }))),
    };
  };

  const KINDS = { cost, percentiles, throughput, slo, lines, outage, memory, wire, timeline };
  const option = (chart, themeName, standalone, width) =>
    KINDS[chart.data.kind](THEMES[themeName], chart, standalone, width);

  const svg = (json, themeName) => {
    const chart = JSON.parse(json);
    const drawing = echarts.init(null, null, { renderer: 'svg', ssr: true, width: chart.width, height: chart.height });
    drawing.setOption(option(chart, themeName, true, chart.width));
    // A picture does not move and is not pointed at.
    const text = drawing.getZr().painter.renderToString({ useViewBox: true, cssAnimation: false, cssEmphasis: false });
    drawing.dispose();
    // zrender numbers its references over all pictures: numbered by picture, they do not depend on what else is drawn.
    const references = new Map();
    const renamed = (found) => {
      if (!references.has(found)) references.set(found, `r${references.size}`);
      return references.get(found);
    };
    return text.replace(/zr\d+-[a-z]+\d+/g, renamed);
  };

  // In the browser: draws every chart, and again when the width, the theme or the medium changes.
  const mount = () => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const print = matchMedia('print');
    const drawings = [...document.querySelectorAll('.chart')].map((place) => {
      const chart = JSON.parse(place.querySelector('script').textContent);
      const canvas = place.appendChild(document.createElement('div'));
      canvas.style.height = '100%';
      const drawing = echarts.init(canvas, null, { renderer: 'svg' });
      return () => {
        drawing.resize();
        const theme = dark.matches && !print.matches ? 'dark' : 'light';
        drawing.setOption(option(chart, theme, false, place.clientWidth), { notMerge: true });
      };
    });
    const draw = () => drawings.forEach((each) => each());
    draw();
    addEventListener('resize', draw);
    dark.addEventListener('change', draw);
    print.addEventListener('change', draw);
  };

  if (typeof document !== 'undefined') mount();
  return { option, svg };
})();
