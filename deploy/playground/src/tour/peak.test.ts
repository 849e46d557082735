import { describe, expect, test } from '@jest/globals';
import { placeOf, problemOfPeak } from './peak.js';

const fit = (peak: number, converged = true) => ({ fit: { peak, peakError: 0.01, converged } });

describe('the fitted peak', () => {
  test.each([90.7, 91.1876, 91.2, 91.7])('is right at %d GeV', (peak) => {
    expect(problemOfPeak(fit(peak))).toBeNull();
  });

  // The third and the fourth are the peaks with a momentum scale that is 2 % off.
  test.each([90.69, 91.71, 93.02, 89.36, 0, Number.NaN])('is a problem at %d GeV', (peak) => {
    expect(problemOfPeak(fit(peak))).toContain(`the fitted peak is at ${peak} GeV, outside 91.2 ± 0.5 GeV`);
  });

  test('is a problem when the fit did not converge, wherever it is', () => {
    expect(problemOfPeak(fit(91.2, false))).toBe('the fit of the peak did not converge');
  });
});

test('an output is found in the file store, or where its URL says', () => {
  expect(placeOf('/data/store', 'job_1/attempt_1/h.json')).toBe('/data/store/job_1/attempt_1/h.json');
  expect(placeOf('/data/store', 'file:///elsewhere/h.json')).toBe('/elsewhere/h.json');
});
