// A process that owns an embedded replica set, for tests that kill it. Arguments: binary, folder, members,
// "exit" to end by itself. Prints one line of JSON.
import { silentLogger } from '@rhizome/log';
import { startMongod } from './start.js';

const [binary = '', dataDir = '', members = '1', then] = process.argv.slice(2);
const mongod = await startMongod({ binary, dataDir, members: members === '3' ? 3 : 1, log: silentLogger() });
process.stdout.write(`${JSON.stringify({ uri: mongod.uri, pids: mongod.members.map(({ pid }) => pid) })}\n`);
if (then === 'exit') process.exitCode = 0;
else setInterval(() => undefined, 60_000);
