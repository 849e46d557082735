import { expect, it } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

/** The part of a package.json that this test reads. */
interface Manifest {
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
}

it('ships every command as a committed file, because npm links it before anything is built', () => {
  const files = repositoryFiles();
  const manifests = files.filter((path) => path.endsWith('/package.json'));
  const commands = manifests.flatMap((path) => {
    const { bin = {}, files: shipped = [] } = JSON.parse(read(path)) as Manifest;
    return Object.entries(bin).map(([name, file]) => ({
      name,
      isThere:
        files.includes(path.replace('package.json', file)) && shipped.includes(file.split('/')[0] ?? ''),
    }));
  });
  expect(commands.filter(({ isThere }) => !isThere)).toEqual([]);
  expect(commands.map(({ name }) => name)).toContain('rhizome');
});
