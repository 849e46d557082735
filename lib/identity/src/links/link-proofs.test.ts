import { describe, expect, it } from '@jest/globals';
import type { OutsideIdentity } from '../issuers/outside-tokens.js';
import { shownBy } from './link-proofs.js';

const shownAt = (claims: object): number =>
  shownBy({ principalId: 'p', kind: 'HUMAN', claims, issuer: { issuer: 'i' } } as OutsideIdentity, 'a.b.c')
    .shownAt;

describe('shownBy', () => {
  it('takes the login that a refreshed token states, not the time at which it was issued', () => {
    expect(shownAt({ iat: 5000, auth_time: 1000 })).toBe(1_000_999);
  });

  it.each([
    ['states no login', { iat: 5000 }],
    ['states a login in a form that is not a time', { iat: 5000, auth_time: '1000' }],
    ['states a login after its own issue', { iat: 5000, auth_time: 9000 }],
  ])('takes the time of issue of a token that %s', (_what, claims) => {
    expect(shownAt(claims)).toBe(5_000_999);
  });
});
