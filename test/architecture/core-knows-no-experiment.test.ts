import { describe, expect, it } from '@jest/globals';
import { experimentNames, read, repositoryFiles } from './repository.js';

const folders = ['subgraphs/', 'gateway/', 'lib/', 'clients/cli/'];

describe('names of experiments', () => {
  const files = repositoryFiles().filter((path) => folders.some((folder) => path.startsWith(folder)));

  it.each(experimentNames())('does not occur in core, gateway, lib or the command line: %s', (name) => {
    const word = new RegExp(name, 'i');
    const spelled = files.flatMap((path) => {
      if (word.test(path)) return [path];
      return read(path)
        .split('\n')
        .flatMap((line, index) =>
          word.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
        );
    });
    expect(spelled).toEqual([]);
  });

  it('searches folders that are not empty', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(experimentNames().length).toBeGreaterThanOrEqual(4);
  });
});
