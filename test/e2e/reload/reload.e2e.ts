import { reloadTest } from './reload-test.js';

reloadTest(50, 10 * 60_000);
