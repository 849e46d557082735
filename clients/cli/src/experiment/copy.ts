/** Copies the template's folder and renames every spelling of its name, and its port. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type ExperimentNames, namesOf, renamed } from './names.js';
import { filesOf, portOf, type Repository } from './repository.js';

/** Copies into a folder that does not exist yet. Returns the written files, relative to the folder. */
export function copyTemplate(
  { root, template }: Repository,
  to: ExperimentNames,
  folder: string,
  port: number,
): readonly string[] {
  const from = namesOf(template.name);
  const source = join(root, 'experiments', template.name);
  return filesOf(source).map((path) => {
    const name = renamed(relative(source, path), from, to);
    const text = renamed(readFileSync(path, 'utf8'), from, to)
      .replaceAll(String(portOf(template)), String(port))
      // The copy is an experiment, not a template.
      .replace(/^scaffold: true\n/m, '');
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    return name;
  });
}
