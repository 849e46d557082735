/** Result of the peak fit in the tour's merge job. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Part of `histogram.json` that the tour reads. */
export interface Histogram {
  readonly fit: { readonly peak: number; readonly peakError: number; readonly converged: boolean };
}

/** Z mass of the toy generator, and accepted deviation of the fitted peak, in GeV. */
const expectedPeak = 91.2;
const tolerance = 0.5;

/** Description of what is wrong with the fit; null if nothing is. */
export function problemOfPeak({ fit }: Histogram): string | null {
  if (!fit.converged) return 'the fit of the peak did not converge';
  // Written so that a peak that is not a number is wrong as well.
  if (Math.abs(fit.peak - expectedPeak) <= tolerance) return null;
  return `the fitted peak is at ${fit.peak} GeV, outside ${expectedPeak} ± ${tolerance} GeV`;
}

/** Folders with the outputs of jobs. */
export interface OutputFolders {
  /** The pilots' own file store. */
  readonly store: string;
  /** Folder of the storage. */
  readonly files: string;
}

/** Path of an output, which is in the storage, at a URL, or in the pilots' file store. */
export function pathOf({ store, files }: OutputFolders, location: string): string {
  const [, key] = /^rhizome:\/\/[^/]+\/(.+)$/s.exec(location) ?? [];
  if (key !== undefined) return resolve(files, key);
  return location.startsWith('file:') ? fileURLToPath(location) : resolve(store, location);
}
