import { describe, expect, it } from '@jest/globals';
import { namesOf, refuseCollision, renamed } from './names.js';

describe('namesOf', () => {
  it('derives the spellings of types, codes and folders', () => {
    expect(namesOf('heron2')).toEqual({ name: 'heron2', prefix: 'Heron2', upper: 'HERON2' });
  });

  it.each(['', 'h', 'Heron', '2heron', 'he-ron', 'he ron', '../heron', 'h'.repeat(32)])(
    'refuses %j and says what is valid',
    (name) => expect(() => namesOf(name)).toThrow(/must be 2 to 31 lower-case letters and digits/),
  );

  it('refuses an existing name, and a prefix that collides with another', () => {
    const known = [{ name: 'heron', typePrefix: 'Heron' }];
    expect(() => refuseCollision(namesOf('heron'), known)).toThrow('Experiment "heron" already exists.');
    expect(() => refuseCollision(namesOf('heronry'), known)).toThrow('Heronry collides with Heron');
    expect(() => refuseCollision(namesOf('her'), known)).toThrow('Her collides with Heron');
    expect(() => refuseCollision(namesOf('egret'), known)).not.toThrow();
  });

  it('replaces the template’s name in each spelling', () => {
    const [from, to] = [namesOf('heron'), namesOf('egret')];
    expect(renamed('heron Heron HERON_X HeronJob', from, to)).toBe('egret Egret EGRET_X EgretJob');
  });
});
