// Writes the manifest of a client: all operations that it sends, with the texts that it sends.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Kind, print } from 'graphql';

const definitionOf = ({ definitions = [] }) =>
  definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);

/**
 * Writes `dist/operation-manifest.json` of a package, in the format of Apollo's tools, for the setting
 * `persistedOperations.manifests` of the gateway.
 * @param buildFile address of the package's build step
 * @param textOf text that the client sends for a document
 */
export async function writeManifest(buildFile, textOf = print) {
  const dist = join(dirname(fileURLToPath(buildFile)), 'dist');
  const documents = await import(pathToFileURL(join(dist, 'operations.generated.js')).href);
  const operations = Object.values(documents)
    .filter((document) => document?.kind === Kind.DOCUMENT && definitionOf(document))
    .map((document) => {
      const { name, operation: type } = definitionOf(document);
      const body = textOf(document);
      return { id: createHash('sha256').update(body).digest('hex'), name: name.value, type, body };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const manifest = { format: 'apollo-persisted-query-manifest', version: 1, operations };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const path = join(dist, 'operation-manifest.json');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}
