/** Positions beyond the windows: in the share, and among the jobs of a class. */
import { describe, expect, it } from '@jest/globals';
import { aReadyJob } from '../../../test/support/scheduler.fixture.js';
import { positionOf } from './queue-position.js';
import { ReadyWindow } from '../cache/ready-window.js';

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function idAt(ms: number): string {
  let [text, left] = ['', ms];
  for (let i = 0; i < 10; i += 1) {
    text = digits.charAt(left % 32) + text;
    left = Math.floor(left / 32);
  }
  return `job_${text}${'0'.repeat(16)}`;
}

/** A window with more behind it. */
function windowOf(priority: number, times: readonly number[]): ReadyWindow {
  const window = new ReadyWindow('class_1', 'alpha/default');
  const found = times.map((ms) => aReadyJob(idAt(ms), { priority }));
  window.endRefill({ ...window.beginRefill(), limit: found.length }, found);
  return window;
}

describe('positionOf', () => {
  it('puts an old job of a low priority behind the many later ones of a higher priority', () => {
    const window = windowOf(5, [5000, 6000]);
    expect(positionOf([window], { priority: 0, id: idAt(1000) }, 1002, 9000, window)).toEqual({
      position: 1002,
      isPositionEstimated: true,
      inClass: 1002,
    });
  });

  it('leaves jobs behind the windows of other classes out of the position within the class', () => {
    const [own, other] = [windowOf(0, [1000, 2000]), windowOf(0, [1000, 2000])];
    const key = { priority: 0, id: idAt(7000) };
    expect(positionOf([own, other], key, 204, 12_000, own)).toEqual({
      position: 104,
      isPositionEstimated: true,
      inClass: 52,
    });
  });

  it('is exact for a class whose window reaches the job, whatever the others hide', () => {
    const [own, other] = [windowOf(0, [1000, 2000, 9000]), windowOf(0, [1000])];
    const key = { priority: 0, id: idAt(9000) };
    expect(positionOf([own, other], key, undefined, 12_000, own)).toEqual({
      position: null,
      isPositionEstimated: true,
      inClass: 2,
    });
  });
});
