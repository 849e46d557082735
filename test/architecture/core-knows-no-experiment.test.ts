import { describe, expect, test } from '@jest/globals';
import { experimentNames, read, repositoryFiles } from './repository.js';

const rooms = ['subgraphs/', 'gateway/', 'lib/', 'clients/cli/'];

describe('core cannot even spell an experiment', () => {
  const files = repositoryFiles().filter((path) => rooms.some((room) => path.startsWith(room)));

  test.each(experimentNames())(
    '%s occurs in no path and no line of core, gateway, lib and the command line',
    (name) => {
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
    },
  );

  test('the rooms are not empty, so that the search means something', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(experimentNames().length).toBeGreaterThanOrEqual(4);
  });
});
