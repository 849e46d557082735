// A seeded source of random numbers (sfc32), so that a seed gives the same events on every machine.

/**
 * The seed a job gets when none is given: a digest (FNV-1a) of its id, so that no two jobs repeat each other.
 */
export function seedOf(text) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** @param {number} seed 0 to 2^32 - 1 */
export function randomSource(seed) {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed | 0, 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 20; i += 1) next();
  /** Uniform in the open interval (0, 1). */
  const uniform = () => (next() + 0.5) / 4294967296;
  /** Normal with mean 0 and variance 1 (Box and Muller). */
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}
