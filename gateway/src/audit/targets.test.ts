import { describe, expect, it } from '@jest/globals';
import { targetsOf, withoutSecrets } from './targets.js';

const key = Buffer.alloc(32, 7);

describe('withoutSecrets', () => {
  it.each(['Mutation.createSecret', 'Mutation.rotateSecret'])(
    'keeps the value of a secret out of the digest of %s',
    async (action) => {
      const targets = (value: string) =>
        targetsOf(withoutSecrets(action, { input: { name: 'PIN', value } }), key);
      expect(await targets('12345678')).toEqual(await targets('12345679'));
      expect(await targets('12345678')).toMatchObject({
        ids: ['PIN'],
        fields: ['input', 'input.name', 'input.value'],
      });
    },
  );

  it('names the account of a token that is the proof of an identity, and keeps no token', async () => {
    const claims = Buffer.from(JSON.stringify({ iss: 'https://idp.test', sub: 'ann' })).toString('base64url');
    const header = Buffer.from('{"alg":"ES256"}').toString('base64url');
    const targets = (token: string) =>
      targetsOf(withoutSecrets('Mutation.linkIdentity', { input: { token } }), key);
    const found = await targets(`${header}.${claims}.one`);
    expect(found).toMatchObject({ count: 1, ids: ['https://idp.test', 'ann'] });
    expect(await targets(`${header}.${claims}.two`)).toEqual(found);
    expect(await targets('nonsense')).toMatchObject({ ids: [] });
  });

  it('digests all arguments of other calls', async () => {
    const targets = (value: string) =>
      targetsOf(withoutSecrets('Mutation.submitJobs', { input: { value } }), key);
    expect(await targets('12345678')).not.toEqual(await targets('12345679'));
  });
});
