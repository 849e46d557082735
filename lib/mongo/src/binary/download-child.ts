// Downloads mongod with mongodb-memory-server-core, in a process of its own: the helper prints its progress
// and can only be stopped by ending it. Arguments: version, folder. The last line it prints is PATH=<binary>.
import { MongoBinary } from 'mongodb-memory-server-core';

const [version, downloadDir] = process.argv.slice(2);
if (!version || !downloadDir) throw new Error('usage: download-child VERSION FOLDER');
try {
  const path = await MongoBinary.getPath({ version, downloadDir, checkMD5: true });
  console.log(`PATH=${path}`);
} catch (error) {
  console.log(`FAILED=${String(error).replace(/\s+/g, ' ').slice(0, 300)}`);
  // The helper may leave a connection open that would keep this process alive.
  process.exit(1);
}
