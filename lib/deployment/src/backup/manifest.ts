/** The manifest of a backup: its databases, their collections, and the digests of the files. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from '@rhizome/config';
import { serverDatabases } from '@rhizome/mongo';
import { DeploymentError } from '../deployment-error.js';

/** Name of the file; it is written last, so that a folder without it is no complete backup. */
export const manifestFile = 'manifest.json';

const amount = z.int().min(0);
const name = z.string().regex(/^[A-Za-z0-9_.-]{1,120}$/, 'expected letters, digits, "_", "." and "-"');
const extended = z.record(z.string(), z.unknown());

const schema = z
  .strictObject({
    format: z.literal('rhizome-backup'),
    version: z.literal(1),
    createdAt: z.iso.datetime(),
    /** Time of the store: all writes up to it are in the backup, and none after it. */
    clusterTime: z.strictObject({ t: amount, i: amount }),
    mongodb: z.string(),
    databases: z
      .array(
        z.strictObject({
          name: name
            .regex(/^[^.]+$/, 'expected a name without "."')
            .refine((one) => !serverDatabases.has(one), 'expected a database of Rhizome'),
          collections: z.array(
            z.strictObject({
              name: name.refine((one) => !one.startsWith('system.'), 'expected a collection of Rhizome'),
              /** Path in the folder of the backup: BSON documents one after the other, compressed by gzip. */
              file: z.string().regex(/^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+\.bson\.gz$/),
              documents: amount,
              /** Bytes of the documents before compression. */
              bytes: amount,
              /** SHA-256 of the file. */
              sha256: z.string().regex(/^[0-9a-f]{64}$/),
              /** Options, with the validator, as canonical Extended JSON. */
              options: extended,
              /** Indexes but that of `_id`, as canonical Extended JSON. */
              indexes: z.array(extended),
            }),
          ),
        }),
      )
      .min(1),
  })
  .superRefine(({ databases }, context) => {
    const seen = new Set<string>();
    const check = (place: string, path: readonly (string | number)[]): void => {
      if (seen.has(place))
        context.addIssue({ code: 'custom', path: [...path], message: `${place} is listed twice` });
      seen.add(place);
    };
    for (const [index, database] of databases.entries()) {
      check(database.name, ['databases', index, 'name']);
      for (const [at, { name: collection, file }] of database.collections.entries()) {
        const path = ['databases', index, 'collections', at];
        check(`${database.name}/${collection}`, [...path, 'name']);
        const expected = `${database.name}/${collection}.bson.gz`;
        if (file !== expected)
          context.addIssue({ code: 'custom', path: [...path, 'file'], message: `expected ${expected}` });
      }
    }
  });

/** A complete backup. */
export type Manifest = z.output<typeof schema>;
/** A database of a backup. */
export type SavedDatabase = Manifest['databases'][number];
/** A collection of a backup. */
export type SavedCollection = SavedDatabase['collections'][number];

/** Text of the manifest's file. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** SHA-256 of a manifest's text. */
export function digestOfManifest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Manifest of the backup in a folder, and its digest. @throws DeploymentError if there is no usable one */
export async function readManifest(
  folder: string,
): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
  const path = join(folder, manifestFile);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new DeploymentError(`${folder} is no complete backup: it has no ${manifestFile}`);
    throw new DeploymentError(`${path} cannot be read: ${error.code ?? error.message}`);
  });
  const parsed = schema.safeParse(jsonOf(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.join('.') ?? '';
    throw new DeploymentError(`${path}: ${place === '' ? '' : `${place}: `}${issue?.message ?? 'not valid'}`);
  }
  return { manifest: parsed.data, digest: digestOfManifest(text) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
