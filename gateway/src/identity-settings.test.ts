import { describe, expect, it } from '@jest/globals';
import { identitySettings } from './identity-settings.js';

const storage = { name: 'archive', audience: 'https://archive.test', experiments: ['heron'] };

const isAccepted = (change: object): boolean =>
  identitySettings.safeParse({ storages: [{ ...storage, ...change }] }).success;

describe('identity.storages', () => {
  it.each([['/'], ['/heron/data'], ['/heron/.hidden/..data/a.b'], ['/jobs/{experiment}/{owner}/run-{job}']])(
    'accepts the path %s',
    (path) => {
      expect(isAccepted({ read: [path] })).toBe(true);
      expect(isAccepted({ create: [path] })).toBe(true);
    },
  );

  it.each([
    [''],
    ['heron'],
    ['/..'],
    ['/../etc'],
    ['/heron/..'],
    ['/heron/../egret'],
    ['/heron/./data'],
    ['/heron data'],
    ['/heron storage.modify:/'],
    ['/jobs/{user}'],
    ['/jobs/{job'],
  ])('refuses the path "%s"', (path) => {
    expect(isAccepted({ read: [path] })).toBe(false);
    expect(isAccepted({ create: [path] })).toBe(false);
  });

  it('refuses a storage without paths', () => {
    expect(isAccepted({})).toBe(false);
    expect(isAccepted({ read: [], create: [] })).toBe(false);
  });

  it('refuses the audience of a service of Rhizome', () => {
    expect(isAccepted({ read: ['/'], audience: 'urn:rhizome:core' })).toBe(false);
  });
});
