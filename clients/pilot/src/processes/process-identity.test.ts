import { describe, expect, it } from '@jest/globals';
import { nameOf, processIn } from './process-identity.js';

describe('processIn', () => {
  it('reads the process from the name that nameOf gives it', () => {
    const process = { pid: 12, startTicks: 345 };
    expect(processIn(nameOf('spool', process), 'spool')).toEqual(process);
  });

  it.each(['spool-12', 'spool-12-345-copy', 'spool-12-345.old', 'spool-a-345', 'pilot-12-345', 'spool'])(
    'finds none in %s',
    (name) => {
      expect(processIn(name, 'spool')).toBeUndefined();
    },
  );
});
