import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as YamlLibrary from 'yaml';
import type { z } from 'zod';
import { shapeOf } from './schema-walk.js';

/** A plain object out of a YAML file. */
export type Tree = Record<string, unknown>;

/** True for a plain object, as YAML maps and configuration sections are. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a YAML file; what is wrong with it goes into `faults`, and then there is nothing in it. */
export function readYaml(file: string, faults: string[]): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    faults.push(
      `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); expected a YAML file`,
    );
    return {};
  }
  const { parseDocument } = yamlLibrary();
  // Messages of the parser without the excerpt of the source, which may hold a secret.
  const document = parseDocument(text, { prettyErrors: false });
  for (const { code, pos } of document.errors) {
    faults.push(`${file}:${text.slice(0, pos[0]).split('\n').length}: not YAML (${code})`);
  }
  if (document.errors.length > 0) return {};
  const content: unknown = document.toJS();
  if (content === null || content === undefined) return {};
  if (isTree(content)) return content;
  faults.push(
    `${file}: is a ${Array.isArray(content) ? 'list' : typeof content}; expected a map of settings`,
  );
  return {};
}

/** Loaded with the first file: most processes have settings in their environment only. */
const yamlLibrary = (): typeof YamlLibrary => createRequire(import.meta.url)('yaml') as typeof YamlLibrary;

/** Adds a fault for each key that the schema does not know, with the nearest one it knows. */
export function findUnknownKeys(
  tree: Tree,
  schema: z.ZodType,
  file: string,
  faults: string[],
  path: string[] = [],
): void {
  const shape = shapeOf(schema);
  if (!shape) return;
  for (const [key, value] of Object.entries(tree)) {
    const here = [...path, key];
    const inner = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!inner) {
      faults.push(
        `${file}: ${here.join('.')} is not a setting; expected one of ${Object.keys(shape).sort().join(', ')}`,
      );
    } else if (isTree(value)) findUnknownKeys(value, inner, file, faults, here);
  }
}
