import { fileURLToPath } from 'node:url';

/** Folder of the built pages, for those who serve them. */
export const dashboardPages: string = fileURLToPath(new URL('../dist/static', import.meta.url));
