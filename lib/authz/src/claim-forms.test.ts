import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Role, roles } from './actions.js';
import { createCallSigner, createCallVerifier } from './call-tokens.js';
import { compactGrants, grantsClaim, maxGroups, maxIssuedTokenLength, writeGrants } from './claim-forms.js';
import { signToken } from './issuer.js';
import { newKey, signingKeyOf } from './key-file.js';
import { authorisationScope, permissionsOf } from './permissions.js';
import { createPrincipal, type Grant } from './principal.js';

const expiresAt = new Date('2099-01-01T00:00:00Z');
const holder = (grants: readonly Grant[], more = {}) =>
  createPrincipal({ kind: 'HUMAN', subject: 'usr_1', grants, expiresAt, ...more });

/** Experiments with names of the greatest length. */
const experiments = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `x${String(at).padStart(30, '0')}`);
const sets: readonly (readonly Role[])[] = [
  ['USER'],
  ['USER', 'PRODUCTION'],
  ['READER'],
  ['ADMIN', 'OPERATOR'],
];
const many = (count: number): Grant[] =>
  experiments(count).map((experiment, at) => ({ experiment, roles: sets[at % sets.length] ?? [] }));

describe('compactGrants', () => {
  it('keeps the rights, whatever is granted', () => {
    const names = fc.oneof(fc.constantFrom('*', 'alpha', 'beta'), fc.string({ minLength: 1, maxLength: 31 }));
    const grants = fc.array(fc.record({ experiment: names, roles: fc.subarray([...roles]) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(grants, (given) => {
        const stored: unknown = JSON.parse(JSON.stringify(compactGrants(given)));
        const read = grantsClaim.parse(stored);
        expect(permissionsOf(holder(read))).toEqual(permissionsOf(holder(given)));
        expect(authorisationScope(holder(read))).toBe(authorisationScope(holder(given)));
        // One name for each experiment, however often it was granted.
        expect(new Set(read.map(({ experiment }) => experiment)).size).toBe(read.length);
      }),
    );
  });

  it('is used for long lists only, so that other programs can read the usual token', () => {
    expect(writeGrants(many(5))).toEqual(many(5));
    expect(writeGrants(many(100))).toMatchObject({ USER: expect.any(Array) });
  });

  it.each([
    ['an unknown role', { 'USER KING': ['alpha'] }, 'roles'],
    ['a name that is no text', { USER: [5] }, 'experiment'],
    ['no list of names', { USER: { alpha: true } }, 'experiment'],
    ['a key of the language', JSON.parse('{"__proto__": ["alpha"]}') as object, 'roles'],
    ['too many names', { USER: experiments(1001) }, ''],
    ['a text', 'USER', ''],
  ])('refuses %s', (_name, claim, field) => {
    const { success, error } = grantsClaim.safeParse(claim);
    expect(success).toBe(false);
    expect(error?.issues[0]?.path.join('.')).toContain(field);
  });
});

describe('the length of a token of a login', () => {
  const sign = async (grants: readonly Grant[]): Promise<string> => {
    const signer = { ...(await signingKeyOf(await newKey())), issuer: 'https://x.test', audience: 'rhizome' };
    return signToken({ kind: 'HUMAN', subject: 'usr_1', grants, ttlSeconds: 60 }, signer);
  };

  it('fits into a request for roles in 200 experiments, and is an error for 1,000', async () => {
    expect((await sign(many(200))).length).toBeLessThan(maxIssuedTokenLength);
    await expect(sign(many(1000))).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      details: { field: 'scope' },
    });
  });
});

describe('the length of a call token', () => {
  const groups = Array.from({ length: maxGroups }, (_, at) => `grp_${String(at).padStart(26, '0')}`);

  it('fits into a request for a person with 100 groups and roles in 100 experiments', async () => {
    const signer = await createCallSigner();
    const person = holder(many(100), {
      groups,
      linked: groups.slice(0, 9),
      tokenId: `institute/${groups[0]}`,
    });
    const token = await signer.tokenFor(person, 'core');
    expect(token.length).toBeLessThan(maxIssuedTokenLength);
    const verifier = createCallVerifier({ subgraph: 'core', jwks: signer.jwks() });
    const read = await verifier.verify(token);
    expect(permissionsOf(read)).toEqual(permissionsOf(person));
    expect(read.groups).toEqual(groups);
  });

  it('fits for the agent of such a person, with the rights of both', async () => {
    const signer = await createCallSigner();
    const rights = { kind: 'AGENT', actsFor: 'usr_1', boundedBy: many(100) };
    expect((await signer.tokenFor(holder(many(100), rights), 'core')).length).toBeLessThan(
      maxIssuedTokenLength,
    );
  });

  it('is an error that says what to do, before a server refuses the headers', async () => {
    const signer = await createCallSigner();
    await expect(signer.tokenFor(holder(many(1000)), 'core')).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringMatching(/token of \d+ characters; must be at most 12288.*by a scope/),
    });
  });
});
