import { reloadTest } from './reload-test.js';

reloadTest(30, 10 * 60_000);
