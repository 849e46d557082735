// The histogram as a picture: data with error bars, the fitted curve, the result, and the pulls below. Plain
// SVG, no fonts or styles from elsewhere.

const SIZE = { width: 880, height: 660 };
const MAIN = { left: 92, right: 852, top: 74, bottom: 482 };
const PULLS = { left: 92, right: 852, top: 508, bottom: 596 };
const INK = '#1d2733';
const FAINT = '#e3e8ec';
const CURVE = '#1f7a4d';
const BAD = '#b3261e';

const round = (value) => Number(value.toFixed(2));
const escape = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);

function line(x1, y1, x2, y2, style = '') {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${style}/>`;
}

function text(x, y, content, style = '') {
  return `<text x="${round(x)}" y="${round(y)}" ${style}>${content}</text>`;
}

/** A round step that cuts `span` into about `parts`. */
function niceStep(span, parts) {
  const rough = span / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function scales(result) {
  const { low, high } = result.window;
  const tallest = Math.max(...result.bins.map((bin) => Math.max(bin.count + bin.error, bin.fit)), 1);
  const step = niceStep(tallest, 6);
  const top = Math.ceil((tallest * 1.08) / step) * step;
  return {
    x: (mass) => MAIN.left + ((mass - low) / (high - low)) * (MAIN.right - MAIN.left),
    y: (count) => MAIN.bottom - (count / top) * (MAIN.bottom - MAIN.top),
    pull: (value) => (PULLS.top + PULLS.bottom) / 2 - (value / 4) * ((PULLS.bottom - PULLS.top) / 2),
    step,
    top,
  };
}

function frame(result, { x, y, pull, step, top }) {
  const parts = [];
  for (let count = 0; count <= top; count += step) {
    if (count > 0) parts.push(line(MAIN.left, y(count), MAIN.right, y(count), `stroke="${FAINT}"`));
    parts.push(text(MAIN.left - 12, y(count) + 5, count.toLocaleString('en'), 'text-anchor="end"'));
  }
  for (let mass = Math.ceil(result.window.low / 2) * 2; mass <= result.window.high; mass += 2) {
    const tick = mass % 4 === 0 ? 9 : 5;
    parts.push(line(x(mass), MAIN.bottom, x(mass), MAIN.bottom - tick, `stroke="${INK}"`));
    parts.push(line(x(mass), PULLS.bottom, x(mass), PULLS.bottom - tick, `stroke="${INK}"`));
    if (mass % 4 === 0) parts.push(text(x(mass), PULLS.bottom + 22, mass, 'text-anchor="middle"'));
  }
  for (const value of [-2, 0, 2]) {
    parts.push(
      line(PULLS.left, pull(value), PULLS.right, pull(value), `stroke="${value === 0 ? '#9aa5b1' : FAINT}"`),
    );
    parts.push(text(PULLS.left - 12, pull(value) + 5, value, 'text-anchor="end"'));
  }
  for (const box of [MAIN, PULLS]) {
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    parts.push(
      `<rect x="${box.left}" y="${box.top}" width="${width}" height="${height}" fill="none" stroke="${INK}"/>`,
    );
  }
  return parts.join('\n');
}

/** A smooth path through points (Catmull and Rom, as cubic Bézier curves). */
function smooth(points) {
  const at = (i) => points[Math.min(Math.max(i, 0), points.length - 1)];
  const pair = (px, py) => `${round(px)} ${round(py)}`;
  return points.slice(0, -1).reduce(
    (path, [x1, y1], i) => {
      const [[x0, y0], [x2, y2], [x3, y3]] = [at(i - 1), at(i + 1), at(i + 2)];
      const handles = `${pair(x1 + (x2 - x0) / 6, y1 + (y2 - y0) / 6)} ${pair(x2 - (x3 - x1) / 6, y2 - (y3 - y1) / 6)}`;
      return `${path} C ${handles} ${pair(x2, y2)}`;
    },
    `M ${pair(...points[0])}`,
  );
}

function fitCurve(result, { x, y }) {
  const middle = result.bins.map((bin) => [x((bin.low + bin.high) / 2), y(bin.fit)]);
  const path = smooth([[MAIN.left, middle[0][1]], ...middle, [MAIN.right, middle.at(-1)[1]]]);
  const area = `${path} L ${MAIN.right} ${MAIN.bottom} L ${MAIN.left} ${MAIN.bottom} Z`;
  return `<path d="${area}" fill="${CURVE}" fill-opacity="0.10"/>\n<path d="${path}" fill="none" stroke="${CURVE}" stroke-width="2.5"/>`;
}

function acceptedBand(result, { x }) {
  const { peak, tolerance } = result.expected;
  const [low, high] = [x(peak - tolerance), x(peak + tolerance)];
  const rect = `<rect x="${round(low)}" y="${MAIN.top}" width="${round(high - low)}" height="${MAIN.bottom - MAIN.top}" fill="#f3b63f" fill-opacity="0.20"/>`;
  return result.window.low < peak - tolerance && peak + tolerance < result.window.high ? rect : '';
}

function dataPoints(result, { x, y, pull }) {
  const points = result.bins.map((bin) => {
    const middle = x((bin.low + bin.high) / 2);
    const bar = line(
      middle,
      y(Math.max(0, bin.count - bin.error)),
      middle,
      y(bin.count + bin.error),
      `stroke="${INK}" stroke-width="1.4"`,
    );
    return `${bar}<circle cx="${round(middle)}" cy="${round(y(bin.count))}" r="3.4" fill="${INK}"/>`;
  });
  const pulls = result.bins.map((bin) => {
    const value = bin.fit > 0 ? (bin.count - bin.fit) / Math.sqrt(bin.fit) : 0;
    const end = pull(Math.max(-4, Math.min(4, value)));
    const [top, height] = [Math.min(end, pull(0)), Math.abs(end - pull(0))];
    const [left, width] = [x(bin.low) + 2, x(bin.high) - x(bin.low) - 4];
    return `<rect x="${round(left)}" y="${round(top)}" width="${round(width)}" height="${round(height)}" fill="${Math.abs(value) > 3 ? BAD : CURVE}" fill-opacity="0.75"/>`;
  });
  return [...points, ...pulls].join('\n');
}

function legend(result) {
  const { fit, expected } = result;
  const number = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '?');
  const rows = [
    ['peak', `${number(fit.peak, 3)} ± ${number(fit.peakError, 3)} GeV`],
    ['resolution', `${number(fit.resolution, 3)} ± ${number(fit.resolutionError, 3)} GeV`],
    ['width', `${fit.width} GeV (fixed)`],
    ['χ² / ndf', `${number(fit.chiSquare, 1)} / ${fit.degreesOfFreedom}`],
  ];
  const [left, top] = [MAIN.left + 24, MAIN.top + 34];
  const lines = rows.flatMap(([name, value], i) => [
    text(left, top + i * 24, name, 'fill="#5b6875"'),
    text(left + 86, top + i * 24, value, 'font-weight="600"'),
  ]);
  const verdict = expected.met
    ? `within ${expected.peak} ± ${expected.tolerance} GeV`
    : `outside ${expected.peak} ± ${expected.tolerance} GeV, or no fit`;
  lines.push(
    text(left, top + rows.length * 24, verdict, `fill="${expected.met ? CURVE : BAD}" font-weight="600"`),
  );
  const [x, y] = [MAIN.right - 190, MAIN.top + 30];
  lines.push(
    `<circle cx="${x}" cy="${y - 5}" r="3.4" fill="${INK}"/>${line(x, y - 13, x, y + 3, `stroke="${INK}" stroke-width="1.4"`)}`,
  );
  lines.push(text(x + 18, y, 'simulated data'));
  lines.push(
    line(x - 10, y + 19, x + 10, y + 19, `stroke="${CURVE}" stroke-width="2.5"`),
    text(x + 18, y + 24, 'Breit-Wigner ⊗ Gauss'),
  );
  return lines.join('\n');
}

/** The picture of a merge's result as the text of an SVG file. */
export function drawHistogram(result) {
  const scale = scales(result);
  const binWidth = (result.window.high - result.window.low) / result.window.bins;
  const middle = (box) => (box.top + box.bottom) / 2;
  const turned = (y) => `transform="rotate(-90 26 ${y})" text-anchor="middle"`;
  const subtitle = `${result.pairs.toLocaleString('en')} muon pairs, ${result.seeds.length} ${result.seeds.length === 1 ? 'seed' : 'seeds'}`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}" font-family="system-ui, 'Helvetica Neue', Arial, sans-serif" font-size="15" fill="${INK}" role="img">
<title>Invariant mass of two muons with the fitted Z peak</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${text(MAIN.left, 44, 'Z → μ⁺μ⁻', 'font-size="22" font-weight="650"')}
${text(MAIN.right, 44, escape(subtitle), 'text-anchor="end" fill="#5b6875"')}
${acceptedBand(result, scale)}
${frame(result, scale)}
${fitCurve(result, scale)}
${dataPoints(result, scale)}
${legend(result)}
${text(26, middle(MAIN), `pairs / ${binWidth} GeV`, turned(middle(MAIN)))}
${text(26, middle(PULLS), 'pull', turned(middle(PULLS)))}
${text(MAIN.right, PULLS.bottom + 46, 'm(μ⁺μ⁻)  [GeV]', 'text-anchor="end"')}
</svg>
`;
}
