// The Voigt profile: a Breit-Wigner seen through a detector with Gaussian resolution. It is the real part of
// the Faddeeva function w(z), here by Weideman's rational approximation (SIAM J. Numer. Anal. 31 (1994)
// 1497), good to 1e-11 for 32 terms.

const TERMS = 32;
const SCALE = Math.sqrt(TERMS / Math.SQRT2);
const COEFFICIENTS = coefficients();

/** Fourier coefficients of exp(-t²)(L²+t²) on the mapped circle t = L tan(θ/2). */
function coefficients() {
  const samples = 4 * TERMS;
  return Array.from({ length: TERMS }, (_, index) => {
    let sum = 0;
    for (let k = 1 - samples / 2; k < samples / 2; k += 1) {
      const theta = (2 * Math.PI * k) / samples;
      const t = SCALE * Math.tan(theta / 2);
      sum += Math.exp(-t * t) * (SCALE * SCALE + t * t) * Math.cos((index + 1) * theta);
    }
    return sum / samples;
  });
}

const multiply = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];
const divide = ([a, b], [c, d]) => {
  const norm = c * c + d * d;
  return [(a * c + b * d) / norm, (b * c - a * d) / norm];
};

/** Re w(x + iy), y ≥ 0. */
export function faddeevaReal(x, y) {
  const below = [SCALE + y, -x];
  const z = divide([SCALE - y, x], below);
  let p = [0, 0];
  for (let i = TERMS - 1; i >= 0; i -= 1) {
    p = multiply(p, z);
    p[0] += COEFFICIENTS[i];
  }
  return (
    divide([2 * p[0], 2 * p[1]], multiply(below, below))[0] + divide([1 / Math.sqrt(Math.PI), 0], below)[0]
  );
}

/**
 * Density per GeV at `x` of a Breit-Wigner (peak, full width) convolved with a Gauss of this resolution, all
 * in GeV.
 */
export function voigt(x, peak, width, resolution) {
  const unit = resolution * Math.SQRT2;
  return faddeevaReal((x - peak) / unit, width / 2 / unit) / (resolution * Math.sqrt(2 * Math.PI));
}
