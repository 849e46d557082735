import { describe, expect, it } from '@jest/globals';
import { stateOf, whyClosed } from './device-nodes.js';

describe('deviceNode', () => {
  it.each([
    ['ENOENT', 'ABSENT'],
    ['EPERM', 'FORBIDDEN'],
    ['EACCES', 'DENIED'],
    ['EIO', 'UNKNOWN'],
    [undefined, 'UNKNOWN'],
  ] as const)('maps the error %s to the state %s', (code, state) => {
    expect(stateOf(code)).toBe(state);
  });

  it('says why a file cannot be used', () => {
    expect(whyClosed({ path: '/dev/kfd', state: 'ABSENT' })).toBe('/dev/kfd does not exist');
    expect(whyClosed({ path: '/dev/kfd', state: 'DENIED' })).toBe('this pilot may not open /dev/kfd');
  });
});
