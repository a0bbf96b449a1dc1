import { centreOffset, cropSideOf } from '../geometry';
import type { ChannelTriple } from '../store';

/**
 * Mean and standard deviation of each channel over the centre crops of many source squares, in 0..1.
 *
 * It adds up whole numbers, which is exact: the result is the same whatever the order of the images.
 */
export class ChannelStatistics {
  private pixels = 0;
  private readonly sums = [0, 0, 0];
  private readonly squares = [0, 0, 0];
  private readonly crop: number;
  private readonly offset: number;

  /** @param side - side of the source squares in pixels */
  constructor(private readonly side: number) {
    this.crop = cropSideOf(side);
    this.offset = centreOffset(side, this.crop);
  }

  /** @param square - `[side, side, 3]` */
  add(square: Uint8Array): void {
    const { crop, offset, side, sums, squares } = this;
    this.pixels += crop * crop;
    for (let row = offset; row < offset + crop; row++) {
      // Row by row in small integers, which are several times faster than large ones; `| 0` keeps V8 from checking that.
      let [red, green, blue, redSquared, greenSquared, blueSquared] = [0, 0, 0, 0, 0, 0];
      const start = (row * side + offset) * 3;
      for (let index = start; index < start + crop * 3; index += 3) {
        const [r, g, b] = [square[index], square[index + 1], square[index + 2]];
        red = (red + r) | 0;
        green = (green + g) | 0;
        blue = (blue + b) | 0;
        redSquared = (redSquared + r * r) | 0;
        greenSquared = (greenSquared + g * g) | 0;
        blueSquared = (blueSquared + b * b) | 0;
      }
      sums[0] += red;
      sums[1] += green;
      sums[2] += blue;
      squares[0] += redSquared;
      squares[1] += greenSquared;
      squares[2] += blueSquared;
    }
  }

  result(): { readonly mean: ChannelTriple; readonly deviation: ChannelTriple } {
    const perChannel = (of: (channel: number) => number): ChannelTriple => [of(0), of(1), of(2)];
    const mean = perChannel((channel) => this.sums[channel] / this.pixels / 255);
    const variance = (channel: number) => this.squares[channel] / this.pixels / 255 ** 2 - mean[channel] ** 2;
    const deviation = perChannel((channel) => Math.sqrt(Math.max(0, variance(channel))));
    return { mean, deviation };
  }
}
