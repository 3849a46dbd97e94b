/** Powers of ten as Go's math.Pow computes them, which are not always the nearest floats. */

/** 10 is 0.625 x 2^4. */
const TEN_FRACTION = 0.625;
const TEN_EXPONENT = 4;

/** fraction x 2^exponent in steps that neither overflow nor underflow before the result does. */
function scale(fraction: number, exponent: number): number {
  let result = fraction;
  let left = exponent;
  for (; left > 1000; left -= 1000) result *= 2 ** 1000;
  for (; left < -1000 && result !== 0; left += 1000) result *= 2 ** -1000;
  return result * 2 ** Math.max(left, -1074);
}

/** math.Pow(10, places) for integers: repeated squaring of the fraction, powers of two apart. */
export function powerOfTen(places: number): number {
  if (places === 0) return 1;
  if (places === 1) return 10;
  if (places > 400) return Number.POSITIVE_INFINITY;
  if (places < -400) return 0;
  let fraction = 1;
  let exponent = 0;
  let square = TEN_FRACTION;
  let squareExponent = TEN_EXPONENT;
  for (let bits = Math.abs(places); bits !== 0; bits >>= 1) {
    if ((bits & 1) === 1) {
      fraction *= square;
      exponent += squareExponent;
    }
    square *= square;
    squareExponent *= 2;
    if (square < 0.5) {
      square += square;
      squareExponent--;
    }
  }
  return places < 0 ? scale(1 / fraction, -exponent) : scale(fraction, exponent);
}
