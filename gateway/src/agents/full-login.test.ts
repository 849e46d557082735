import { describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { assertFullLogin, type Logins } from './full-login.js';

const logins =
  (isOfSession: boolean): Logins =>
  () =>
    ({
      webSessions: { isOfSession: async () => isOfSession, ofPrincipal: async () => undefined },
    }) as never;
const limited = { ...testPrincipal({ subject: 'ada' }), limited: true };

describe('assertFullLogin', () => {
  it('accepts the token of a session that has taken further roles', async () => {
    await expect(assertFullLogin(limited, logins(true))).resolves.toBeUndefined();
  });

  it.each([logins(false), () => undefined])('refuses other limited tokens', async (found) => {
    await expect(assertFullLogin(limited, found)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('accepts a token that is not limited', async () => {
    await expect(
      assertFullLogin(testPrincipal({ subject: 'ada' }), () => undefined),
    ).resolves.toBeUndefined();
  });
});
