/** Environment variables. One that is set to nothing is one that is not set: containers and CI files leave many so. */

export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === '' ? undefined : value;
}

/** For this process and those that it starts. */
export function setVariable(name: string, value: string): void {
  process.env[name] = value;
}

/** Whether a switch is on, as the hub's own tools read it. */
export function isOn(name: string): boolean {
  return /^(1|on|yes|true)$/i.test(variable(name) ?? '');
}
