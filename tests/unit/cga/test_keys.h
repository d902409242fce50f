/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private keys for tests, made for nothing else. */
#ifndef TESTS_UNIT_CGA_TEST_KEYS_H
#define TESTS_UNIT_CGA_TEST_KEYS_H

/* PKCS #8 */
static const char pem_rsa_1024[] = "-----BEGIN PRIVATE KEY-----\n"
				   "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMJ+y6v7f1uqY/AV\n"
				   "JCDhN0KDmOCzZevWe/gRFC4PSux7eke8HYY5eUaH8gsV96z3RuGSb71Aj6VxaJgA\n"
				   "75zhEpW2jv8tMKWicZWStXsnJKpnbWaTOuSEpw1QG/2J+fkHLkcXe5EyFnAOUyXT\n"
				   "2IRLULUXgfo2UD6FX3PwBeyUqrfdAgMBAAECgYAO6Ol0JbN9s3I11WkPnDRARRZT\n"
				   "I22MxsR6H9UMMt/rgQu+tA0PXRiO75z+fJCgEdS9NhyaxXg9lpQOEwRLYnWqIf1v\n"
				   "CKYOV/48ZaZ2S/HXtSq6sF9A7+pWiXPXUsF+gL+6f1VJI/DC/+qws8xDOQ1RkdoH\n"
				   "5h3WufD+YBG+6TnMAQJBAPwFWqMnWEPBb3TSN+0N/VL4FX9vhCRCr6nAhHvJpG3I\n"
				   "QdZkyLrxTBu53mzTuDy8YEiENJ0O8BqDJy4XgKWs/XkCQQDFkO2a5eN7ZbvudJcU\n"
				   "K6/74CBo5JVpmdiQoYxJQWMo+qUZJqgy+MLk20kcKsIAsSPvAvtmajtE9sfPyPhr\n"
				   "SUiFAkADSLaTpbGawGyJYyvjZOlGKYFuNa/NISlU1vNjAY+o9pEVEB8lgHtzaQqi\n"
				   "9GdUM0g16bMd0NIEJm1eRmQgxI5RAkBE7BVoF1DvyILyYiwedkszlHHaBfx11Zzu\n"
				   "f90f5TbBogccqha9iXj8O9/aerQpZ6LAjArGJMM+gNUeEN9RFkS9AkEA4gVGtsVy\n"
				   "6bGU3GwwmO92Ldmsi58ebs6pICwhCjCsVLpnM6bbMmgr18gN5Bc3iRgt7byFqLAo\n"
				   "bTqczKJbJ6jvUg==\n"
				   "-----END PRIVATE KEY-----\n";

/* the same key in the older form, PKCS #1 */
static const char pem_rsa_1024_pkcs1[] = "-----BEGIN RSA PRIVATE KEY-----\n"
					 "MIICXAIBAAKBgQDCfsur+39bqmPwFSQg4TdCg5jgs2Xr1nv4ERQuD0rse3pHvB2G\n"
					 "OXlGh/ILFfes90bhkm+9QI+lcWiYAO+c4RKVto7/LTClonGVkrV7JySqZ21mkzrk\n"
					 "hKcNUBv9ifn5By5HF3uRMhZwDlMl09iES1C1F4H6NlA+hV9z8AXslKq33QIDAQAB\n"
					 "AoGADujpdCWzfbNyNdVpD5w0QEUWUyNtjMbEeh/VDDLf64ELvrQND10Yju+c/nyQ\n"
					 "oBHUvTYcmsV4PZaUDhMES2J1qiH9bwimDlf+PGWmdkvx17UqurBfQO/qVolz11LB\n"
					 "foC/un9VSSPwwv/qsLPMQzkNUZHaB+Yd1rnw/mARvuk5zAECQQD8BVqjJ1hDwW90\n"
					 "0jftDf1S+BV/b4QkQq+pwIR7yaRtyEHWZMi68Uwbud5s07g8vGBIhDSdDvAagycu\n"
					 "F4ClrP15AkEAxZDtmuXje2W77nSXFCuv++AgaOSVaZnYkKGMSUFjKPqlGSaoMvjC\n"
					 "5NtJHCrCALEj7wL7Zmo7RPbHz8j4a0lIhQJAA0i2k6WxmsBsiWMr42TpRimBbjWv\n"
					 "zSEpVNbzYwGPqPaRFRAfJYB7c2kKovRnVDNINemzHdDSBCZtXkZkIMSOUQJAROwV\n"
					 "aBdQ78iC8mIsHnZLM5Rx2gX8ddWc7n/dH+U2waIHHKoWvYl4/Dvf2nq0KWeiwIwK\n"
					 "xiTDPoDVHhDfURZEvQJBAOIFRrbFcumxlNxsMJjvdi3ZrIufHm7OqSAsIQowrFS6\n"
					 "ZzOm2zJoK9fIDeQXN4kYLe28haiwKG06nMyiWyeo71I=\n"
					 "-----END RSA PRIVATE KEY-----\n";

/* too short */
static const char pem_rsa_768[] = "-----BEGIN PRIVATE KEY-----\n"
				  "MIIB5QIBADANBgkqhkiG9w0BAQEFAASCAc8wggHLAgEAAmEAphQi4sxMNSc//VCK\n"
				  "HW1oyk4icVVCeqdMsRadVDdDIl1RfH9/2nDsXkc0OpCiHX9W0Xq7gcxFAQMuA7Tf\n"
				  "EoVev3Sx2XN7DU+UT4hSL3kAySFfAUIQpLzoo5j0czjZX80BAgMBAAECYQCPukt6\n"
				  "tc2aDo7NXj85Om9+7WHXbS7sUQ8JDwY3VOAPxGz57qmqVSHqcXrc2EDEgGcvpDVm\n"
				  "azWuYCZ4LQ9HJDTVNr1qtcRP4PMvtGlpOnsE/FJg8nj5i7af76Y6eRxvxTUCMQDb\n"
				  "soezEl/0Q8P+zs67Mkl46Yy838FsxAkHLt2VpCMAfrFNZsjmDxOuxUxitkEyVI8C\n"
				  "MQDBhXfSGX9lQHt4zngQSD74fJJ0/UbEAxeMy8o3mzChI7w+iewat9C0wkva1kFQ\n"
				  "LW8CMQDbdL26sfspq9uHl5vIQJZF8r4EGVtEw5nlE/qCNSBFqUiA8dByhtL5fNot\n"
				  "rLL5jJ8CMGBmIefQt7syQc9N2lUSB/wz4ajROd0ORT7njRXiAnlimbT1c11jz10b\n"
				  "pDmgnOxZlQIwFZTwWNOtOxcElvfg9BxV3U+DB2TXv3xLsm5kRne2GFFHTIMzcac2\n"
				  "p8Bgyfy7StTM\n"
				  "-----END PRIVATE KEY-----\n";

/* the first key behind the passphrase "x" */
static const char pem_encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
				    "MIIC3TBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIGNY7VL+eWdgCAggA\n"
				    "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBCoNBQ8yVacWjXriDA2/m+wBIIC\n"
				    "gJmthDRagaBzXd4aavKNM1oojDKRZ6hOA5bzs2ufMbDNEzsSBkq8clJNTcMlW7r/\n"
				    "X5vWsoc8xIf2pOZSESsW+eOoCrBFNuZ6scY1rroi0ksEAs4KDCtVkqpJ6lD1Vcdw\n"
				    "41/uNW1aoGQJhCFUSBW8Epqi4qFE2UlDTOD4AePtW0JNb9m3oW9IieLNEuchHO1M\n"
				    "uvT1ukyyNQZQfLOefk5wwZHq1YFP+U6uXoMJI6GG4paziqTBx8HAzBqF2jgRXv1D\n"
				    "aHQzypKkqljLFJf5bSDExF8IpwJPbgmjvW1SAMAaA7I41xz2hHuEzig9p3984617\n"
				    "dLIAf/RQbYH6DFOSvzZK+xeu+rd8Fc3TELr2xLPUdMm4QRo03BARaM9puloiwIXL\n"
				    "QGNVivLUo2z8j1Hi4Tb+MQdEQ3qsGkFxMFqb3IuVa/AO3d4NJl8XGTBaZEGxIR+M\n"
				    "270EJJgx2Vn9/UPcl5euRNXoZiRgqjmn7gaGtDCrBpsyOmy+Z8fd7IOIfcCvSwI9\n"
				    "Er4H2gjA6ZkMJqOnUULsb7h5OdBogsQ9/S42LT6B6h+54dxbM5Pi+n57iBhnrCHO\n"
				    "rdx70ZDk/sHUdHIQLCmetqyHqAjGFWaqwgVkyP4kyaOOMVN+qz34qyU086w2xJsQ\n"
				    "w40SPxtvBXQdzCy70c0phk39T4PDpVN+LpQavR6YY2tezQ1Q/NMbTnLu623ujm6C\n"
				    "0BPNdRiRrzP4ZeBOEyK+Y03W1kTH/e51+WOtJlRGGrQEwW4oLFnW7g4h+HeuFYWG\n"
				    "tbFWmauSbd4AmCZ8YdRLUVaHZkUFYme0RPUKg/Xp50DxMcCJdifVA5V+c9AzEh4p\n"
				    "4ZCVJtDTfBrKWskpDDjmVeY=\n"
				    "-----END ENCRYPTED PRIVATE KEY-----\n";

/* the same in the older form */
static const char pem_encrypted_pkcs1[] = "-----BEGIN RSA PRIVATE KEY-----\n"
					  "Proc-Type: 4,ENCRYPTED\n"
					  "DEK-Info: AES-128-CBC,AE0DDCD9617BE8084DBE0A74CC49CD94\n"
					  "\n"
					  "w4Sw8Upe1jw8CkMKC//XC7QNAcISRRUveTuAL8aSnVdRlQfydcOWwEGX21dOdFl3\n"
					  "RBkTNdwOU/+w29rbnleNEtrDGWIbWGeR7qCvD5s2ThIVvbsgAwlRCYmVHdWpREfI\n"
					  "2WJvr8PiSLmjFYCtgLEiHBERZbNMcAPTOqurA8LTb5f+7R25gB2VF0fANhTbl0k5\n"
					  "Gn3ZDXWYV81P+ITVskJpb0yiw7IRZsX83njCZ5mF0cJiYJuprL6/y7bFiUdQV5hC\n"
					  "/s2Um8rJ9faUbBBuHtzjDDf5kpE7HMsTH4pEMwElo4QGUJRYHFCqczf/bv350GyK\n"
					  "5/JKX3kUoRgD9lL4yrHqko/FaRXKzsoabElFQkkpN4lI1XtRVJzWp2ecqUqWqk9c\n"
					  "17UUAftCsJ8j0sD9oND+wvUj9ajhi5ozYvvYn+QQBCBI3XHBhpALdoK6SuJzqQTS\n"
					  "DJL6nkWdEU58DgdQ3gCWFJBTxwqJblUhTe+oYYWf7n4OvBCxMMeCaVqwWd/f/W7m\n"
					  "9AtHLEArh2xP96QwDajZq8R1iEl2YoDyeM+xuVaHL/9wnM10MUdeyGGuaCJo7ruR\n"
					  "nb2m/6J1pr0eWBDjY/cwnYY6PVa7qQPizP+hZYxcO2iLtv3piZQzzv3GkWosIj3I\n"
					  "6LAwDa85/o26CGcmEe6YKCrBTLv43HhskCZsuQhKyhJMKpoFvItkJHVbpapnD9rr\n"
					  "TEaDIR+cOEJT3CEDlOpnAgXpjoGNxffOTRymPwPd6x0WolNJaDEwN5uArmO0mgPu\n"
					  "i3cAIgC+AGiOYJwoNU4HlawQ9vRlLoJ6dtyFlnyKyi//c9GfseChU8gLISV+71v4\n"
					  "-----END RSA PRIVATE KEY-----\n";

/* elliptic curve P-256 */
static const char pem_ec[] = "-----BEGIN PRIVATE KEY-----\n"
			     "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNP+ak++e0D7Bq9Lk\n"
			     "Sq4knniGqbnY1POPysqA5wycILuhRANCAAQ6rz5YsMc425fhRzQYUoBaSW0ABrM6\n"
			     "Yc7+Dxrgy/+WiHm0IwP1n1sFpqNH7UJW4zFsZ+F/jATBnclbU+Jeh4K2\n"
			     "-----END PRIVATE KEY-----\n";

/* an RSA key for RSASSA-PSS only */
static const char pem_rsa_pss[] = "-----BEGIN PRIVATE KEY-----\n"
				  "MIICdQIBADALBgkqhkiG9w0BAQoEggJhMIICXQIBAAKBgQC/GX1cM9dHFHiQdon6\n"
				  "tTxplF94JOiNeR6pj3qNLUpwQE/Ddxuz2WnBVRSuIGDpOkJV4qEA8GVqy8mTHgjd\n"
				  "BPmV+D6Y073/fiCG9Cd+9+A28x/BC6JcGRD921NmXCpPV61IqfEBMFNIbDXn4zim\n"
				  "93mhRmeQlSIQ/wjihgClDnk30QIDAQABAoGBAKUYdWgx1VuwQNS1xFDXQMEKEUyv\n"
				  "vkVzDV15+mt7ZGMD/KUnAsTnIOmJApvIl1EHJwYiC+zOwx93vcce3JNt190Ml/8K\n"
				  "n4wKWUICGdtFhp39fI6TXD0GQIE//+Izk+v92O/9Bd3LBF+urQ5AnTeeFfAJ5Khp\n"
				  "npSLNKSoqs1Psoy9AkEA7I3ZHODngKlddl4Czici4LLI9TNvGrmpgv7IX+tyig4y\n"
				  "6c/+/8wuJWEyCvjaLCh/DTy2FAi5bobPFj7NAQ34uwJBAM7PE25BasvhxGh/A9mY\n"
				  "JXcstugibhxArePcpODivWqVekWFfCye1kvkPxFVvdTT2k92y1/P5j6NLBO5u4mz\n"
				  "XuMCQBWVq+Xyr60RxzFxype9AnW2WpflJZIutsT5MpduCHmIaiTjkcUNgHhwsfxG\n"
				  "UMIOv+kZTRPu59yp+GNzP4mFGNkCQQDGuJhVM6rpanGOb65FYjtt/ptrB9qCb2wo\n"
				  "LhaIuZeFWUj6kL+3KJGGrzYi9B7K6R83iFD4Kg92P7UA51HbiW49AkAdwt+8EM0O\n"
				  "B0ljN1nryNE+UTlV6SMZ3k+D4OOWDYS5SVavWctniSs/pCJJwgaN9v6TY3NPsS9R\n"
				  "zg56N8TN7G4v\n"
				  "-----END PRIVATE KEY-----\n";

#endif
