import { describe, expect, test } from '@jest/globals';
import { namesOf, refuseCollision, renamed } from './names.js';

describe('the name of a new experiment', () => {
  test('is spelled as types, codes and folders need it', () => {
    expect(namesOf('heron2')).toEqual({ name: 'heron2', prefix: 'Heron2', upper: 'HERON2' });
  });

  test.each(['', 'h', 'Heron', '2heron', 'he-ron', 'he ron', '../heron', 'h'.repeat(32)])(
    'is refused with what would be right: %j',
    (name) => expect(() => namesOf(name)).toThrow(/must be 2 to 31 lower-case letters and digits/),
  );

  test('must be new, and its types must not be taken for those of another', () => {
    const known = [{ name: 'heron', typePrefix: 'Heron' }];
    expect(() => refuseCollision(namesOf('heron'), known)).toThrow('Experiment "heron" already exists.');
    expect(() => refuseCollision(namesOf('heronry'), known)).toThrow('Heronry collides with Heron');
    expect(() => refuseCollision(namesOf('her'), known)).toThrow('Her collides with Heron');
    expect(() => refuseCollision(namesOf('egret'), known)).not.toThrow();
  });

  test('takes the place of the template’s in each spelling', () => {
    const [from, to] = [namesOf('heron'), namesOf('egret')];
    expect(renamed('heron Heron HERON_X HeronJob', from, to)).toBe('egret Egret EGRET_X EgretJob');
  });
});
