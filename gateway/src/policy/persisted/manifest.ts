import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from '@rhizome/config';
import { DomainError } from '@rhizome/errors';

/** Operations that a client's build has registered. */
export interface OperationManifest {
  /** Name of the client, as it reports it; undefined for any. */
  readonly client?: string | undefined;
  /** True if this client may send nothing else. */
  readonly only?: boolean | undefined;
  readonly operations: readonly RegisteredOperation[];
}

/** One operation: its document, and the SHA-256 of that in hexadecimal. */
export interface RegisteredOperation {
  readonly id: string;
  readonly body: string;
}

/** Manifest in the format of Apollo's tools, which several clients' builds write. */
const manifestFile = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string().min(1), body: z.string().min(1) })),
});

/**
 * Reads a manifest.
 * @throws DomainError CONFIG_INVALID when the file cannot be read, or an id is not the hash of its document
 */
export function readManifest(path: string): readonly RegisteredOperation[] {
  const invalid = (reason: string): DomainError =>
    new DomainError('CONFIG_INVALID', `persistedOperations.manifests: ${path}: ${reason}`, {
      field: 'persistedOperations.manifests',
      value: path,
      expected: 'a file in the format apollo-persisted-query-manifest, version 1',
    });
  let parsed;
  try {
    parsed = manifestFile.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  if (!parsed.success) throw invalid('not a manifest of version 1');
  for (const { id, body } of parsed.data.operations) {
    if (createHash('sha256').update(body).digest('hex') !== id)
      throw invalid(`id ${id.slice(0, 80)} is not the SHA-256 of its document`);
  }
  return parsed.data.operations;
}
