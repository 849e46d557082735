// A toy Z boson: its mass from a Breit-Wigner, its transverse momentum and rapidity from simple shapes, its
// decay into two muons isotropic in its rest frame, and a detector that measures each muon's momentum with a
// finite resolution.

/** Masses and the width in GeV (Particle Data Group). */
export const zMass = 91.1876;
export const zWidth = 2.4952;
const muonMass = 0.1056584;

const massRange = [50, 140];
const ptScale = 12;
const ptPower = 2.5;
const rapiditySpread = 1.4;
const maxRapidity = 3;

function breitWigner(random) {
  const angle = (mass) => Math.atan((mass - zMass) / (zWidth / 2));
  const [low, high] = massRange.map(angle);
  return zMass + (zWidth / 2) * Math.tan(low + (high - low) * random.uniform());
}

function rapidity(random) {
  for (;;) {
    const value = rapiditySpread * random.normal();
    if (Math.abs(value) < maxRapidity) return value;
  }
}

/** The Z's four-momentum [px, py, pz, e] in the laboratory, and its mass. */
function boson(random) {
  const mass = breitWigner(random);
  const pt = ptScale * Math.sqrt(random.uniform() ** (1 / (1 - ptPower)) - 1);
  const phi = 2 * Math.PI * random.uniform();
  const y = rapidity(random);
  const mt = Math.hypot(mass, pt);
  return { mass, p: [pt * Math.cos(phi), pt * Math.sin(phi), mt * Math.sinh(y), mt * Math.cosh(y)] };
}

/**
 * Boosts `p` from the rest frame of a particle with four-momentum `frame` and this mass into the laboratory.
 */
function boost(p, frame, mass) {
  const along = (frame[0] * p[0] + frame[1] * p[1] + frame[2] * p[2]) / mass;
  const gain = along / (frame[3] / mass + 1) / mass + p[3] / mass;
  const space = [0, 1, 2].map((axis) => p[axis] + gain * frame[axis]);
  return [...space, (frame[3] * p[3]) / mass + along];
}

/** One muon as the detector measures it: right in direction, its momentum scaled and smeared. */
function measure(p, detector, random) {
  const pt = Math.hypot(p[0], p[1]);
  const spread = Math.hypot(detector.resolution, detector.resolutionPerGeV * pt);
  const factor = detector.momentumScale * (1 + spread * random.normal());
  const space = [0, 1, 2].map((axis) => p[axis] * factor);
  return [...space, Math.hypot(...space, muonMass)];
}

/** One event: the measured four-momenta of the negative and the positive muon, eight numbers in GeV. */
export function zToMuons(detector, random) {
  const { mass, p } = boson(random);
  const cosTheta = 2 * random.uniform() - 1;
  const sinTheta = Math.sqrt(1 - cosTheta * cosTheta);
  const phi = 2 * Math.PI * random.uniform();
  const momentum = Math.sqrt(mass * mass * 0.25 - muonMass * muonMass);
  const one = [momentum * sinTheta * Math.cos(phi), momentum * sinTheta * Math.sin(phi), momentum * cosTheta];
  const muons = [one, one.map((value) => -value)].map((space) => boost([...space, mass / 2], p, mass));
  return muons.flatMap((muon) => measure(muon, detector, random));
}

/** The invariant mass in GeV of two four-momenta that lie one after the other in `rows`, from `at` on. */
export function invariantMass(rows, at) {
  const [px, py, pz, e] = [0, 1, 2, 3].map((i) => rows[at + i] + rows[at + 4 + i]);
  return Math.sqrt(Math.max(0, e * e - px * px - py * py - pz * pz));
}
