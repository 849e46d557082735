import { expect, it } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

it('docs/reference/job-errors.md has every code with which an attempt ends, with its family, and no other', () => {
  const sources = repositoryFiles().filter(
    (path) =>
      /^(clients\/pilot|subgraphs\/core)\/src\/.*\.ts$/.test(path) && !/\.(test|e2e|fixture)\.ts$/.test(path),
  );
  const said = /(?:new AttemptError\(\s*|family: )'([A-Z]+)',\s*(?:code: )?'([A-Z_]+)'/g;
  const ended = sources.flatMap((path) =>
    [...read(path).matchAll(said)].map(([, family, code]) => `${code} ${family}`),
  );
  const listed = [...read('docs/reference/job-errors.md').matchAll(/^\| `([A-Z_]+)` +\| ([A-Z]+)/gm)].map(
    ([, code, family]) => `${code} ${family}`,
  );
  expect(listed.sort()).toEqual([...new Set(ended)].sort());
});
