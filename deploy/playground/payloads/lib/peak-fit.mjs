// A binned maximum-likelihood fit of a Voigt profile to a mass peak: the natural width is known, peak and
// resolution are free. The yield is that of the window, as the extended likelihood has it. Errors come from
// the Fisher information.
import { voigt } from './voigt.mjs';

const gaussPoints = [
  [-0.8611363115940526, 0.34785484513745385],
  [-0.3399810435848563, 0.6521451548625461],
  [0.3399810435848563, 0.6521451548625461],
  [0.8611363115940526, 0.34785484513745385],
];
const maxSteps = 60;

/** Counts of the values in equal bins of the window [low, high). */
export function histogram(values, { low, high, bins }) {
  const width = (high - low) / bins;
  const counts = new Array(bins).fill(0);
  for (const value of values) {
    const bin = Math.floor((value - low) / width);
    if (bin >= 0 && bin < bins) counts[bin] += 1;
  }
  return { low, high, bins, width, counts, entries: counts.reduce((a, b) => a + b, 0) };
}

/** The share of each bin, normalised over the window. */
function shares(spectrum, width, [peak, logResolution]) {
  const resolution = Math.exp(logResolution);
  const raw = spectrum.counts.map((_, bin) => {
    const centre = spectrum.low + (bin + 0.5) * spectrum.width;
    return gaussPoints.reduce(
      (sum, [x, weight]) => sum + weight * voigt(centre + (x * spectrum.width) / 2, peak, width, resolution),
      0,
    );
  });
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((value) => value / total);
}

const logLikelihood = (counts, p) =>
  counts.reduce((sum, n, i) => sum + (n === 0 ? 0 : n * Math.log(p[i])), 0);

/** Gradient and Fisher information of the two free parameters, by central differences of the bins' shares. */
function slopes(spectrum, width, parameters) {
  const p = shares(spectrum, width, parameters);
  const step = 1e-4;
  const derivatives = [0, 1].map((which) => {
    const moved = (sign) => parameters.map((value, i) => (i === which ? value + sign * step : value));
    const [up, down] = [1, -1].map((sign) => shares(spectrum, width, moved(sign)));
    return up.map((value, i) => (value - down[i]) / (2 * step));
  });
  const gradient = derivatives.map((d) => spectrum.counts.reduce((sum, n, i) => sum + (n * d[i]) / p[i], 0));
  const information = derivatives.map((a) =>
    derivatives.map((b) => spectrum.entries * p.reduce((sum, share, i) => sum + (a[i] * b[i]) / share, 0)),
  );
  return { value: logLikelihood(spectrum.counts, p), gradient, covariance: inverse(information) };
}

function inverse([[a, b], [c, d]]) {
  const determinant = a * d - b * c;
  return [
    [d / determinant, -b / determinant],
    [-c / determinant, a / determinant],
  ];
}

/** The start: the centre of the fullest bin, and a resolution of one GeV. */
function start(spectrum) {
  const fullest = spectrum.counts.indexOf(Math.max(...spectrum.counts));
  return [spectrum.low + (fullest + 0.5) * spectrum.width, 0];
}

/** One damped step of Fisher scoring, or undefined where none leads higher. */
function climb(spectrum, width, parameters, { value, gradient, covariance }) {
  const full = covariance.map(([a, b]) => a * gradient[0] + b * gradient[1]);
  for (let damping = 1; damping > 1e-6; damping /= 2) {
    const next = parameters.map((parameter, i) => parameter + damping * full[i]);
    if (logLikelihood(spectrum.counts, shares(spectrum, width, next)) >= value) return next;
  }
  return undefined;
}

/** Likelihood-ratio chi-square (Baker and Cousins) of the counts against the fitted curve. */
function chiSquare(counts, expected) {
  return counts.reduce(
    (sum, n, i) => sum + 2 * (expected[i] - n + (n === 0 ? 0 : n * Math.log(n / expected[i]))),
    0,
  );
}

/**
 * Fits the peak. `width` is the natural full width in GeV. `converged` is false where the likelihood has no
 * maximum that the data determine; the figures are then of no use.
 */
export function fitPeak(spectrum, width) {
  let parameters = start(spectrum);
  let at = slopes(spectrum, width, parameters);
  let converged = false;
  for (let step = 0; step < maxSteps && !converged; step += 1) {
    const next = climb(spectrum, width, parameters, at);
    if (next === undefined) break;
    const moved = Math.max(...next.map((value, i) => Math.abs(value - parameters[i])));
    [parameters, at] = [next, slopes(spectrum, width, next)];
    converged = moved < 1e-5;
  }
  const errors = [0, 1].map((i) => Math.sqrt(at.covariance[i][i]));
  const expected = shares(spectrum, width, parameters).map((share) => share * spectrum.entries);
  const resolution = Math.exp(parameters[1]);
  return {
    converged: converged && errors.every(Number.isFinite),
    peak: parameters[0],
    peakError: errors[0],
    width,
    resolution,
    resolutionError: resolution * errors[1],
    yield: spectrum.entries,
    chiSquare: chiSquare(spectrum.counts, expected),
    degreesOfFreedom: spectrum.bins - 3,
    expected,
  };
}

/** Placeholder for a fit of too few entries. */
export function noFit(spectrum, width) {
  const figures = { peak: NaN, peakError: NaN, width, resolution: NaN, resolutionError: NaN, chiSquare: NaN };
  const expected = spectrum.counts.map(() => 0);
  return {
    converged: false,
    ...figures,
    yield: spectrum.entries,
    degreesOfFreedom: spectrum.bins - 3,
    expected,
  };
}
