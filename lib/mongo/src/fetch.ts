/** `node lib/mongo/dist/fetch.js`: finds a mongod, or fetches one to the cache, and says where it is. */
import { isDomainError } from '@rhizome/errors';
import { progressLine } from './binary/progress.js';
import { resolveMongod } from './binary/resolve.js';

try {
  console.log(
    `mongod: ${await resolveMongod({ onProgress: (progress) => console.log(progressLine(progress)) })}`,
  );
} catch (error) {
  if (!isDomainError(error)) throw error;
  console.error(`mongod: ${error.message}`);
  process.exitCode = 1;
}
