export const ROOT: string;
export const CACHE: string;
export const CONTROL_PLANE_PROGRAMS: readonly string[];
export function controlPlaneDirectory(): string;
export function openBaoDirectory(): string;
export function openBaoBinary(): string;
export function awsDirectory(): string;
export function helmDirectory(): string;
