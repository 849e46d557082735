// Jest's set-up of each test file, where test files share the modules of a worker (tools/jest).
import { watchFile } from '../file-teardown.js';

watchFile();
