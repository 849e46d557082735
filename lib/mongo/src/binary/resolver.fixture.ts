// A process that resolves mongod, for tests of several at once. Argument: cache folder. Prints progress
// lines, then PATH=<binary> or FAILED=<message>.
import { progressLine } from './progress.js';
import { resolveMongod } from './resolve.js';

const [cacheDir = ''] = process.argv.slice(2);
try {
  const path = await resolveMongod({
    cacheDir,
    onProgress: (progress) => console.log(progressLine(progress)),
  });
  console.log(`PATH=${path}`);
} catch (error) {
  console.log(`FAILED=${error instanceof Error ? error.message : String(error)}`);
}
