#pragma once
// 1 / √(mean(x²) + eps) over x f32 [width].
float rms_scale(const float *x, int width, float eps);
