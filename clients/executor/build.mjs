// Writes the manifest of the operations that the executor sends.
import { writeManifest } from '../../tools/operation-manifest.mjs';

await writeManifest(import.meta.url);
