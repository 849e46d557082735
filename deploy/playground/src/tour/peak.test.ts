import { describe, expect, it } from '@jest/globals';
import { pathOf, problemOfPeak } from './peak.js';

const fit = (peak: number, converged = true) => ({ fit: { peak, peakError: 0.01, converged } });

describe('problemOfPeak', () => {
  it.each([90.7, 91.1876, 91.2, 91.7])('accepts a peak at %d GeV', (peak) => {
    expect(problemOfPeak(fit(peak))).toBeNull();
  });

  // The third and the fourth are the peaks with a momentum scale that is 2 % off.
  it.each([90.69, 91.71, 93.02, 89.36, 0, Number.NaN])('reports a peak at %d GeV', (peak) => {
    expect(problemOfPeak(fit(peak))).toContain(`the fitted peak is at ${peak} GeV, outside 91.2 ± 0.5 GeV`);
  });

  it('reports a fit that did not converge, wherever the peak is', () => {
    expect(problemOfPeak(fit(91.2, false))).toBe('the fit of the peak did not converge');
  });
});

describe('pathOf', () => {
  const folders = { store: '/data/store', files: '/data/files' };

  it('resolves a location in the storage, a path in the file store, and a file URL', () => {
    expect(pathOf(folders, 'rhizome://playground/a/b/jobs/job_1/3/h.json')).toBe(
      '/data/files/a/b/jobs/job_1/3/h.json',
    );
    expect(pathOf(folders, 'job_1/attempt_1/h.json')).toBe('/data/store/job_1/attempt_1/h.json');
    expect(pathOf(folders, 'file:///elsewhere/h.json')).toBe('/elsewhere/h.json');
  });
});
