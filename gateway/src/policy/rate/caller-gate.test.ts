import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import { Admissions } from './admissions.js';
import { CallerGate } from './caller-gate.js';
import { RateLimiter } from './rate-limiter.js';
import { ratesOf } from './rate-settings.js';

const refused = () => new DomainError('UNAUTHENTICATED', 'not accepted');

function gateWith(burst: number): CallerGate {
  const rates = new RateLimiter(
    ratesOf({ address: { operations: { perSecond: 0.001, burst } } }),
    systemClock,
  );
  return new CallerGate(new Admissions(rates));
}

/** The code of the error of a caller; `ok` without one. */
function codeOf(gate: CallerGate, holder: string, error?: DomainError): Promise<string> {
  const verify = (): Promise<string> => (error ? Promise.reject(error) : Promise.resolve('ok'));
  return gate
    .authenticate('a', async (admit) => {
      await admit({ holder });
      return verify();
    })
    .catch(({ code }: DomainError) => code);
}

describe('CallerGate', () => {
  it('charges refusals only', async () => {
    const gate = gateWith(2);
    const codes: string[] = [];
    for (let n = 0; n < 4; n++) codes.push(await codeOf(gate, `valid ${n}`));
    for (let n = 0; n < 4; n++) codes.push(await codeOf(gate, 'forged', refused()));
    expect(codes).toEqual([
      ...Array<string>(4).fill('ok'),
      ...['UNAUTHENTICATED', 'UNAUTHENTICATED', 'LIMIT_EXCEEDED', 'LIMIT_EXCEEDED'],
    ]);
  });

  it.each([
    ['an expired token', new DomainError('TOKEN_EXPIRED', 'ended')],
    ['the nonce of another gateway', new DomainError('UNAUTHENTICATED', 'nonce', { field: 'dpop.nonce' })],
  ])('does not charge %s', async (_, error) => {
    const gate = gateWith(1);
    const codes = [await codeOf(gate, 'x', error), await codeOf(gate, 'x', error)];
    expect(codes).toEqual([error.code, error.code]);
    expect(await codeOf(gate, 'x', refused())).toBe('UNAUTHENTICATED');
  });

  it('verifies holders one by one after too many refusals where no store knows them', async () => {
    const gate = gateWith(1);
    await codeOf(gate, 'forged', refused());
    const running: (() => void)[] = [];
    const ask = (n: number) =>
      gate.authenticate('a', async (admit) => {
        await admit({ holder: `valid ${n}` });
        await new Promise<void>((resolve) => running.push(resolve));
        return n;
      });
    const all = Promise.all([1, 2, 3].map(ask));
    for (let n = 1; n <= 3; n++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(running).toHaveLength(n);
      running.at(-1)?.();
    }
    expect(await all).toEqual([1, 2, 3]);
  });

  it('refuses holders that the store does not have', async () => {
    const gate = gateWith(1);
    await codeOf(gate, 'forged', refused());
    const ask = (found: string | undefined) =>
      gate
        .authenticate('a', async (admit) => {
          await admit({ holder: 'somebody', find: async () => found });
          return 'ok';
        })
        .catch(({ code }: DomainError) => code);
    expect([await ask(undefined), await ask('somebody')]).toEqual(['LIMIT_EXCEEDED', 'ok']);
  });
});
