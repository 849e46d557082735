import { expect, it } from '@jest/globals';
import { progressLine, withBytes } from './progress.js';

it('shows bytes and percent if they are known', () => {
  expect(progressLine({ step: 'unpacking' })).toBe('unpacking');
  expect(progressLine(withBytes('downloading', 1048576))).toBe('downloading 1.0 MiB');
  expect(progressLine(withBytes('downloading', 1048576, 4 * 1048576))).toBe(
    'downloading 1.0 of 4.0 MiB (25 %)',
  );
  expect(withBytes('downloading', 5, 4).percent).toBe(100);
});
