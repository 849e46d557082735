export { type Backup, type Progress } from './backup/backup.js';
export { type Manifest } from './backup/manifest.js';
export { type RestoredDatabase } from './backup/restore.js';
export {
  type Check,
  type CheckRow,
  type CheckState,
  fail,
  type Finding,
  ok,
  runChecks,
  warn,
} from './check/check.types.js';
export { checkKeys, type DatabaseMigrations, type Deployment, openDeployment } from './deployment.js';
export { type ServiceUser, type UserAction } from './users/init-users.js';
export { DeploymentError } from './deployment-error.js';
