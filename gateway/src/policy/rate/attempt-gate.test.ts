import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { AttemptGate, type Leave } from './attempt-gate.js';

/** A gate, with a number of attempts that may fail. */
function gateWith(allowed: number) {
  const state = { left: allowed };
  const gate = new AttemptGate();
  const limit = () => state.left || new DomainError('LIMIT_EXCEEDED', 'none left');
  const log: string[] = [];
  const leaves: Leave[] = [];
  const enter = (key = 'a') =>
    gate.enter(key, limit).then(
      (leave) => {
        log.push('admitted');
        leaves.push(leave);
      },
      (error: DomainError) => log.push(error.code),
    );
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const fail = (): void => {
    state.left--;
    leaves.shift()?.();
  };
  return { enter, leaves, log, settled, fail, state };
}

describe('AttemptGate', () => {
  it('runs no more attempts at once than may fail, and the others in turn', async () => {
    const { enter, leaves, log, settled } = gateWith(2);
    for (let n = 0; n < 5; n++) void enter();
    await settled();
    expect(log).toEqual(['admitted', 'admitted']);
    for (let n = 0; n < 5; n++) {
      leaves.shift()?.();
      await settled();
    }
    expect(log).toEqual(Array(5).fill('admitted'));
  });

  it('refuses those that wait as soon as nothing is left', async () => {
    const { enter, log, settled, fail } = gateWith(2);
    for (let n = 0; n < 5; n++) void enter();
    await settled();
    fail();
    fail();
    await settled();
    expect(log).toEqual(['admitted', 'admitted', ...Array(3).fill('LIMIT_EXCEEDED')]);
    await enter();
    expect(log.at(-1)).toBe('LIMIT_EXCEEDED');
  });

  it('counts each key for itself, and an attempt that ends twice once', async () => {
    const { enter, leaves, log, settled } = gateWith(1);
    void enter('a');
    void enter('b');
    void enter('b');
    void enter('b');
    await settled();
    expect(log).toHaveLength(2);
    const [, ofB] = leaves;
    ofB?.();
    ofB?.();
    await settled();
    expect(log).toHaveLength(3);
  });
});
