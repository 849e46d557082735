/** The fitted peak that the tour's merge job leaves, and whether it is where it must be. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the tour reads of `histogram.json`. */
export interface Histogram {
  readonly fit: { readonly peak: number; readonly peakError: number; readonly converged: boolean };
}

/** The Z mass as the toy generator has it, and how far the fitted peak may be away, in GeV. */
const expectedPeak = 91.2;
const tolerance = 0.5;

/** What is wrong with the fit; null when nothing is. */
export function problemOfPeak({ fit }: Histogram): string | null {
  if (!fit.converged) return 'the fit of the peak did not converge';
  // Written such that a peak that is no number is wrong, too.
  if (Math.abs(fit.peak - expectedPeak) <= tolerance) return null;
  return `the fitted peak is at ${fit.peak} GeV, outside ${expectedPeak} ± ${tolerance} GeV`;
}

/** The path of an output, whose location is a URL, or a path in the pilots' file store. */
export function placeOf(store: string, location: string): string {
  return location.startsWith('file:') ? fileURLToPath(location) : resolve(store, location);
}
