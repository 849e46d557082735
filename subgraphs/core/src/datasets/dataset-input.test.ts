import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import { checkLocation } from './dataset-input.js';

const owner = { experiment: 'alpha', owner: 'ada' };

function problemsOf(location: string): readonly string[] {
  const errors = new InputErrors<string>();
  checkLocation(errors, location, ['location'], owner, []);
  return errors.all.map(({ message }) => message);
}

describe('checkLocation', () => {
  it.each([
    'X-Amz-Signature',
    'X-Goog-Signature',
    'Signature',
    'signature',
    'sig',
    'authz',
    'access_token',
    'ACCESS_TOKEN',
  ])('refuses an address that is signed with the parameter %s', (name) => {
    expect(problemsOf(`https://files.test/x?method=GET&${name}=ab`)).toEqual([
      expect.stringContaining('a token or a signature, which all members would see'),
    ]);
  });

  it('permits an address with other parameters', () => {
    expect(problemsOf('https://files.test/x?version=2&design=sig')).toEqual([]);
  });
});
