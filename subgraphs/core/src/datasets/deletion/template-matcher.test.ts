import { describe, expect, it } from '@jest/globals';
import { templateMatcher } from './template-matcher.js';

describe('templateMatcher', () => {
  it.each([
    ['rhizome://s/a/x.root', 'rhizome://s/a/x.root', true],
    ['rhizome://s/a/x.root', 'rhizome://s/a/y.root', false],
    ['rhizome://s/a/{{index}}.root', 'rhizome://s/a/17.root', true],
    ['rhizome://s/a/{{index}}.root', 'rhizome://s/b/17.root', false],
    ['rhizome://s/{{run}}/{{index}}.root', 'rhizome://s/r1/2.root', true],
    ['rhizome://s/{{run}}/{{index}}.root', 'rhizome://s/r1.root', false],
    ['{{place}}', 'rhizome://s/a', true],
    ['{{a}}ab{{b}}', 'xab', true],
    ['aa{{x}}aa', 'aaa', false],
    ['a{{x}}b{{y}}b', 'ab', false],
  ])('compares %s with %s: %s', (template, location, isNamed) => {
    expect(templateMatcher(['other', template])(location)).toBe(isNamed);
  });
});
