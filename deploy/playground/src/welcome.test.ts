import { describe, expect, it } from '@jest/globals';
import { parseOptions } from './options.js';
import { welcome } from './welcome.js';

const file = {
  url: 'http://127.0.0.1:4000/graphql',
  wsUrl: 'ws://127.0.0.1:4000/graphql',
  graphiql: 'http://127.0.0.1:4000/graphiql',
  dashboard: 'http://127.0.0.1:4000/',
  token: 'a.b.c',
  readerToken: 'd.e.f',
  mcp: 'http://127.0.0.1:4000/mcp',
  pid: 1,
  pids: {},
};
const options = parseOptions([], '/tmp');

describe('welcome', () => {
  it('says why jobs with secrets would wait, and what the machine needs', () => {
    const text = welcome(file, { seconds: 1, options, isolationFault: 'program not found: bwrap' });
    expect(text).toContain('not isolated on this machine (program not found: bwrap)');
    expect(text).toMatch(/secrets or a token wait until bubblewrap works/);
  });

  it('says nothing of isolation where it works', () => {
    expect(welcome(file, { seconds: 1, options })).not.toContain('isolated');
  });
});
