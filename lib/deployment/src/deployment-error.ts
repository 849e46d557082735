/** A request of an operator that cannot be carried out; its message says what would be right. */
export class DeploymentError extends Error {
  override readonly name = 'DeploymentError';
}
